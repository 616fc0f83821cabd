//! The protocol over HTTP. Connections are kept and used again.

use std::{path::Path, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use workflows::{
    evaluation::Evaluation,
    ids::{ArtifactName, Digest},
    protocol::{
        ArtifactList, Claim, ClaimRequest, Heartbeat, HeartbeatReply, Lease, LogReply, Refusal, Report, TOKEN_HEADER,
    },
};

/// For requests that the server answers at once.
const TIMEOUT: Duration = Duration::from_secs(30);
/// For archives, which may be large.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(3600);

/// Why a call gave nothing.
#[derive(Debug)]
pub(super) enum Call {
    /// The lease is no longer ours.
    Stale,
    /// Asking again gives the same answer.
    Refused(String),
    /// The network or the server failed: ask again.
    Failed(anyhow::Error),
}

impl From<reqwest::Error> for Call {
    fn from(error: reqwest::Error) -> Self {
        Call::Failed(error.into())
    }
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub(super) fn new(server: &str, token: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).tcp_nodelay(true).build()?;
        let base = format!("{}/api/runner/v1", server.trim_end_matches('/'));
        Ok(Self { http, base, token: token.to_owned() })
    }

    /// Waits for a job; none when the wait is over.
    pub(super) async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>, Call> {
        let timeout = Duration::from_secs(u64::from(request.wait_s)) + TIMEOUT;
        let sent = self.request(Method::POST, "claim").timeout(timeout).json(request).send().await?;
        let response = accepted(sent).await?;
        if response.status() == StatusCode::NO_CONTENT { Ok(None) } else { Ok(Some(read(response).await?)) }
    }

    /// What may be said with a lease.
    pub(super) fn lease(&self, lease: &Lease) -> LeaseClient {
        LeaseClient { client: self.clone(), id: lease.id.clone(), token: lease.token }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/{path}", self.base)).bearer_auth(&self.token)
    }
}

/// One lease's part of the protocol.
#[derive(Debug, Clone)]
pub(super) struct LeaseClient {
    client: Client,
    id: String,
    token: u64,
}

/// What became of a piece of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// The server now has so many bytes.
    Has(u64),
    /// It has only so many: something before the piece is missing.
    Gap(u64),
}

impl LeaseClient {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, &format!("leases/{}/{path}", self.id)).header(TOKEN_HEADER, self.token)
    }

    pub(super) async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<HeartbeatReply, Call> {
        read(self.post("heartbeat", heartbeat).await?).await
    }

    pub(super) async fn report(&self, report: &Report) -> Result<(), Call> {
        self.post("report", report).await.map(drop)
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<Response, Call> {
        accepted(self.request(Method::POST, path).timeout(TIMEOUT).json(body).send().await?).await
    }

    pub(super) async fn log(&self, offset: u64, bytes: Bytes) -> Result<Appended, Call> {
        let request = self.request(Method::PUT, "log").query(&[("offset", offset)]).timeout(TIMEOUT);
        let response = request.body(bytes).send().await?;
        if response.status() == StatusCode::CONFLICT {
            return match read(response).await? {
                Refusal::LogGap { length } => Ok(Appended::Gap(length)),
                other => Err(Call::Refused(format!("{other:?}"))),
            };
        }
        let reply: LogReply = read(accepted(response).await?).await?;
        Ok(Appended::Has(reply.length))
    }

    pub(super) async fn artifacts(&self) -> Result<Vec<ArtifactName>, Call> {
        let sent = self.request(Method::GET, "artifacts").timeout(TIMEOUT).send().await?;
        let list: ArtifactList = read(accepted(sent).await?).await?;
        Ok(list.names)
    }

    pub(super) async fn put_artifact(&self, name: &ArtifactName, file: &Path) -> Result<(), Call> {
        self.put_file(&format!("artifacts/{}", segment(name.as_str())), file).await
    }

    pub(super) async fn put_blob(&self, digest: &Digest, file: &Path) -> Result<(), Call> {
        self.put_file(&format!("blobs/{digest}"), file).await
    }

    /// What is known of a key; none where nothing is.
    pub(super) async fn get_evaluation(&self, key: &Digest) -> Result<Option<Evaluation>, Call> {
        let response = self.request(Method::GET, &format!("evaluations/{key}")).timeout(TIMEOUT).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read(accepted(response).await?).await.map(Some)
    }

    pub(super) async fn put_evaluation(&self, key: &Digest, evaluation: &Evaluation) -> Result<(), Call> {
        let request = self.request(Method::PUT, &format!("evaluations/{key}")).timeout(TIMEOUT);
        accepted(request.json(evaluation).send().await?).await.map(drop)
    }

    async fn put_file(&self, path: &str, file: &Path) -> Result<(), Call> {
        let open = async {
            let file = tokio::fs::File::open(file).await?;
            let length = file.metadata().await?.len();
            Ok::<_, std::io::Error>((file, length))
        };
        let (file, length) = open.await.map_err(|e| Call::Refused(e.to_string()))?;
        let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(file, 256 * 1024));
        let request = self.request(Method::PUT, path).timeout(TRANSFER_TIMEOUT);
        let request = request.header(reqwest::header::CONTENT_LENGTH, length);
        accepted(request.body(body).send().await?).await.map(drop)
    }

    /// Fetches an artifact into a new file; false where there is none.
    pub(super) async fn get_artifact(&self, name: &ArtifactName, file: &Path) -> Result<bool, Call> {
        let path = format!("artifacts/{}", segment(name.as_str()));
        let response = self.request(Method::GET, &path).timeout(TRANSFER_TIMEOUT).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        let mut stream = accepted(response).await?.bytes_stream();
        let broken = |e: std::io::Error| Call::Refused(format!("{} cannot be written: {e}", file.display()));
        let mut file = tokio::fs::File::create(file).await.map_err(broken)?;
        while let Some(bytes) = stream.next().await {
            file.write_all(&bytes?).await.map_err(broken)?;
        }
        file.flush().await.map_err(broken)?;
        Ok(true)
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    out
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Call> {
    let bytes = response.bytes().await?;
    let value = serde_json::from_slice(&bytes).context("the server's answer is not what the protocol says");
    value.map_err(Call::Failed)
}

/// The response, if it is a success.
async fn accepted(response: Response) -> Result<Response, Call> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.bytes().await.unwrap_or_default();
    let text = || String::from_utf8_lossy(&body).chars().take(500).collect::<String>();
    Err(match (status, serde_json::from_slice::<Refusal>(&body)) {
        (StatusCode::GONE, _) | (_, Ok(Refusal::StaleLease)) => Call::Stale,
        (_, Ok(Refusal::Unauthorized)) | (StatusCode::UNAUTHORIZED, _) => {
            Call::Refused("its token is not known".to_owned())
        }
        (_, Ok(Refusal::Version { server })) => Call::Refused(format!(
            "it speaks version {server} of the protocol, this runner {}",
            workflows::protocol::VERSION
        )),
        (_, Ok(Refusal::Invalid { message })) => Call::Refused(message),
        (_, Ok(Refusal::NotFound)) => Call::Refused("there is no such thing".to_owned()),
        (_, Ok(Refusal::LogGap { length })) => Call::Refused(format!("a gap in the log after {length} bytes")),
        (status, Err(_)) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Call::Failed(anyhow::anyhow!("the server answers {status}: {}", text()))
        }
        (status, Err(_)) => Call::Refused(format!("the server answers {status}: {}", text())),
    })
}
