//! Git over HTTP, as GitHub serves it: git's own `http-backend`, behind the token.

use std::{path::Path, process::Stdio};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Bytes};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use tokio::{io::AsyncWriteExt, process::Command};
use workflows::ids::Sha;

use super::{Shared, locked, state::State};

/// Makes or moves a ref.
pub(super) fn point(repo: &Path, name: &str, sha: &Sha) {
    let git = git2::Repository::open_bare(repo).expect("the repository was made with the fake");
    let oid = git2::Oid::from_str(sha.as_str()).expect("a Sha is an oid");
    git.reference(name, oid, true, "the fake moves it").expect("the commit is there");
}

pub(super) async fn serve(shared: &Shared, request: &HttpRequest, path: &str, body: Bytes) -> HttpResponse {
    let Some((name, rest)) = path.trim_start_matches('/').split_once(".git/") else {
        return HttpResponse::NotFound().finish();
    };
    let found = {
        let state = locked(shared);
        let authorization = request.headers().get("authorization").and_then(|v| v.to_str().ok());
        let repo = state.repos.iter().find(|repo| repo.name.as_str() == name);
        repo.filter(|_| may_read(&state, name, authorization)).map(|repo| repo.path.clone())
    };
    let Some(repo) = found else {
        return HttpResponse::Unauthorized().insert_header(("www-authenticate", "Basic realm=\"GitHub\"")).finish();
    };
    let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &repo)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{rest}"))
        .env("REQUEST_METHOD", request.method().as_str())
        .env("QUERY_STRING", request.query_string())
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "uploadpack.allowAnySHA1InWant")
        .env("GIT_CONFIG_VALUE_0", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git comes with its http-backend");
    let mut stdin = child.stdin.take().expect("piped");
    let feed = async move {
        let _ = stdin.write_all(&body).await;
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    cgi(&output.expect("git http-backend runs").stdout)
}

/// The `x-access-token` of Basic authorization must be a token that reads this repository's contents.
fn may_read(state: &State, name: &str, authorization: Option<&str>) -> bool {
    let password = authorization
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|packed| BASE64_STANDARD.decode(packed).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pair| pair.strip_prefix("x-access-token:").map(str::to_owned));
    let Some(token) = password.and_then(|value| state.tokens.iter().find(|token| token.value == value)) else {
        return false;
    };
    let short = name.rsplit('/').next().unwrap_or(name);
    let scoped = token.repos.as_ref().is_none_or(|repos| repos.iter().any(|repo| repo == short));
    let granted = token.permissions.as_ref().is_none_or(|permissions| permissions.contains_key("contents"));
    scoped && granted && token.expires_at > Timestamp::now()
}

/// A CGI program's output as a response.
fn cgi(output: &[u8]) -> HttpResponse {
    let Some(end) = output.windows(4).position(|window| window == b"\r\n\r\n") else {
        return HttpResponse::InternalServerError().finish();
    };
    let head = String::from_utf8_lossy(&output[..end]);
    let mut response = HttpResponse::Ok();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500);
            response.status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        } else {
            response.insert_header((name, value));
        }
    }
    response.body(output[end + 4..].to_vec())
}
