//! How long the binary takes to answer, and what it holds when it does nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use tests::process::ServerProcess;

use crate::{quantile, row, rss_mb};

/// Start → first request on a data directory that exists; RSS a moment later.
pub(crate) fn measure() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    ServerProcess::start(&data, &["--no-runner"]).kill();
    let mut starts = Vec::new();
    let mut rss = 0.0;
    for _ in 0..11 {
        let begin = Instant::now();
        let mut server = ServerProcess::start(&data, &["--no-runner"]);
        let address = server.url().trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        starts.push(begin.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(300));
        rss = rss_mb(server.id());
        server.kill();
    }
    row("start → first request (n 11, median)", format!("{:.0} ms", quantile(&mut starts, 0.5)), "< 300 ms");
    row("server idle RSS, no runner", format!("{rss:.1} MB"), "< 60 MB");
    let mut server = ServerProcess::start(&data, &[]);
    std::thread::sleep(Duration::from_secs(2));
    row("server idle RSS, with embedded runner", format!("{:.1} MB", rss_mb(server.id())), "< 60 MB");
    server.kill();
}
