//! An address that stays while the server behind it comes and goes, as a load balancer's does.
//! It is what lets runners and forges find a server that was killed and started again on another port.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

#[derive(Clone)]
pub struct Proxy {
    pub url: String,
    target: Arc<Mutex<Option<SocketAddr>>>,
}

impl Proxy {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let target = Arc::new(Mutex::new(None));
        let proxy = Self { url, target };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let target = *accepting.target.lock().expect("nothing panics with it");
                tokio::spawn(async move {
                    // No server: the client sees its connection closed, as from a dead one.
                    if let Some(target) = target
                        && let Ok(mut server) = TcpStream::connect(target).await
                    {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        proxy
    }

    /// Sends new connections to a server; none: to nobody.
    pub fn point_to(&self, url: Option<&str>) {
        let address = url.map(|url| {
            let address = url.strip_prefix("http://").expect("the harness speaks plain HTTP");
            address.parse().expect("the server prints an address")
        });
        *self.target.lock().expect("nothing panics with it") = address;
    }
}
