//! The fake's socket: actix-web in a thread of its own, on a free port.

use std::{net::TcpListener, thread::JoinHandle};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::StatusCode,
    rt::System,
    web::{Bytes, Data, PayloadConfig, to},
};
use futures_util::stream;
use serde_json::Value;

use super::{Shared, api, git, locked, webhooks};

pub(super) struct Running {
    pub(super) url: String,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn start(shared: Shared) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(Data::new(shared.clone()))
                        .app_data(PayloadConfig::new(32 << 20))
                        .default_service(to(handle))
                })
                .workers(2)
                .disable_signals()
                .shutdown_timeout(0)
                .listen(listener)
                .expect("the socket is ours")
                .run();
                tell.send(server.handle()).expect("the test waits for it");
                server.await.expect("the fake serves until it is stopped");
            });
        });
        let handle = told.recv().expect("the fake starts");
        Self { url, handle, thread: Some(thread) }
    }

    pub(super) fn stop(&mut self) {
        // The command is sent when this is called; the thread is what acts on it.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

async fn handle(request: HttpRequest, body: Bytes, shared: Data<Shared>) -> HttpResponse {
    // Still encoded: actix's own `path` decodes some of it.
    let path = request.uri().path().to_owned();
    if path.contains(".git/") {
        return git::serve(&shared, &request, &path, body).await;
    }
    let asked = api::Request {
        method: request.method().to_string(),
        query: request.query_string().split('&').filter_map(pair).collect(),
        authorization: request.headers().get("authorization").and_then(|v| v.to_str().ok()).map(str::to_owned),
        body: if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or(Value::Null) },
        path,
    };
    let reply = api::answer(&mut locked(&shared), &asked);
    webhooks::send_outbox(&shared);
    let latency = locked(&shared).latency;
    if asked.method == "POST" && asked.path.ends_with("/check-runs") && !latency.is_zero() {
        actix_web::rt::time::sleep(latency).await;
    }
    match reply {
        Some(reply) => {
            let status = StatusCode::from_u16(reply.status).expect("the fake's statuses are real");
            let mut response = HttpResponse::build(status);
            for (name, value) in reply.headers {
                response.insert_header((name, value));
            }
            response.json(reply.body)
        }
        // Begins an answer and breaks off.
        None => HttpResponse::Ok().content_type("application/json").streaming(stream::iter([
            Ok::<Bytes, std::io::Error>(Bytes::from_static(b"{\"id\"")),
            Err(std::io::Error::other("the connection breaks here")),
        ])),
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    Some((api::decode(name), api::decode(value)))
}
