//! The floor: a proxy of nothing but hyper, in a process of its own. It looks at nothing, and has one connection to the provider
//! for each client.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::program::{Program, free_address, on_one_processor};

/// What makes this program the floor.
pub(crate) const ARGUMENT: &str = "--floor";

/// Starts it.
pub(crate) async fn start(upstream: SocketAddr) -> Program {
    let address = free_address().await;
    let own = std::env::current_exe().unwrap();
    let mut command: Command = on_one_processor(&own);
    let child = command
        .args([ARGUMENT, &address.to_string(), &upstream.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Program::started(child, address).await
}

/// Serves.
pub(crate) async fn serve(listen: SocketAddr, upstream: SocketAddr) {
    let listener = TcpListener::bind(listen).await.unwrap();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let provider = TcpStream::connect(upstream).await.unwrap();
            provider.set_nodelay(true).unwrap();
            let (sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(provider))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let sender = Arc::new(Mutex::new(sender));
            let pass = service_fn(move |request| {
                let sender = Arc::clone(&sender);
                async move {
                    let mut sender = sender.lock().await;
                    sender.ready().await?;
                    sender.send_request(request).await
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(TokioIo::new(client), pass).await;
        });
    }
}
