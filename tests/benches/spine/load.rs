//! A load generator that costs little: requests are made beforehand, as bytes, and sent over
//! connections that are kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What became of all requests.
pub(crate) struct Load {
    /// Milliseconds, one per request.
    pub(crate) latencies: Vec<f64>,
    pub(crate) per_second: f64,
}

/// Sends each request once, over so many connections; every answer must be a 2xx.
pub(crate) async fn run(address: &str, requests: Vec<Vec<u8>>, connections: usize) -> Load {
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let workers: Vec<_> = (0..connections)
        .map(|_| {
            let (requests, next, address) = (requests.clone(), next.clone(), address.to_owned());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut reply = Vec::with_capacity(64 * 1024);
                let mut latencies = Vec::new();
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begin = Instant::now();
                    stream.write_all(request).await.unwrap();
                    read_reply(&mut stream, &mut reply).await;
                    latencies.push(begin.elapsed().as_secs_f64() * 1e3);
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await.unwrap());
    }
    Load { per_second: requests.len() as f64 / begin.elapsed().as_secs_f64(), latencies }
}

/// One whole answer, whose length is said in its head.
async fn read_reply(stream: &mut TcpStream, reply: &mut Vec<u8>) {
    reply.clear();
    loop {
        let read = stream.read_buf(reply).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        let Some(head) = reply.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&reply[..head]).unwrap().to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 2"), "{text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("answers say their length").trim().parse().unwrap();
        if reply.len() >= head + 4 + length {
            return;
        }
    }
}
