//! Forward proxies, of HTTP and of SOCKS5.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::http1::{ANSWER, answer, read_request};

/// How a proxy treats what it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// It connects to whatever it is asked for, and answers requests for `http` URLs itself.
    Http,
    /// It answers CONNECT with this status.
    Refusing(&'static str),
    /// SOCKS5 with user and password.
    Socks,
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn start(kind: Kind) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let asked = Arc::clone(&theirs);
                tokio::spawn(async move {
                    // The gateway may hang up at any time.
                    let _ = match kind {
                        Kind::Http => http(tcp, &asked).await,
                        Kind::Refusing(status) => refuse(tcp, status).await,
                        Kind::Socks => socks(tcp, &asked).await,
                    };
                });
            }
        });
        Self { address, asked }
    }

    /// The heads of the requests; for SOCKS, user, password and destination.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn http(mut tcp: TcpStream, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    loop {
        let head = read_request(&mut tcp).await?;
        asked.lock().unwrap().push(head.clone());
        let Some(rest) = head.strip_prefix("CONNECT ") else {
            answer(&mut tcp, "200 OK").await?;
            continue;
        };
        let destination = rest.split(' ').next().unwrap();
        let mut there = TcpStream::connect(destination).await?;
        tcp.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
        copy_bidirectional(&mut tcp, &mut there).await?;
        return Ok(());
    }
}

async fn refuse(mut tcp: TcpStream, status: &str) -> std::io::Result<()> {
    read_request(&mut tcp).await?;
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
        ANSWER.len()
    );
    tcp.write_all(head.as_bytes()).await?;
    tcp.write_all(ANSWER.as_bytes()).await
}

/// RFC 1928 and RFC 1929, for names and IPv4 addresses.
async fn socks(mut tcp: TcpStream, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut greeting = [0; 3];
    tcp.read_exact(&mut greeting).await?;
    assert_eq!(greeting, [5, 1, 2], "one method: user and password");
    tcp.write_all(&[5, 2]).await?;
    tcp.read_u8().await?;
    let user = text(&mut tcp).await?;
    let password = text(&mut tcp).await?;
    tcp.write_all(&[1, 0]).await?;
    let mut request = [0; 4];
    tcp.read_exact(&mut request).await?;
    let (host, shown) = match request[3] {
        1 => {
            let mut octets = [0; 4];
            tcp.read_exact(&mut octets).await?;
            let host = std::net::Ipv4Addr::from(octets).to_string();
            (host.clone(), host)
        }
        _ => {
            let name = text(&mut tcp).await?;
            ("127.0.0.1".to_owned(), name)
        }
    };
    let port = tcp.read_u16().await?;
    let line = format!("{user} {password} {shown}");
    asked.lock().unwrap().push(line);
    let mut there = TcpStream::connect((host, port)).await?;
    tcp.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut tcp, &mut there).await?;
    Ok(())
}

async fn text(tcp: &mut TcpStream) -> std::io::Result<String> {
    let mut text = vec![0; usize::from(tcp.read_u8().await?)];
    tcp.read_exact(&mut text).await?;
    Ok(String::from_utf8(text).unwrap())
}
