//! What a client gets that speaks HTTP without TLS where it has to speak TLS: without this it would see bytes of TLS, and its
//! user an error about a broken status line.

use std::io;

use serde_json::json;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;

/// Whether the client has begun with a letter, as HTTP does; TLS begins with the number of a type.
pub(super) async fn is_spoken(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    Ok(first[0].is_ascii_uppercase())
}

/// Says what is wrong. What still comes is read until the client has hung up: if it met a closed connection, the client might
/// not read the answer.
pub(super) async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    // The clients of all APIs find the message in it.
    let body = json!({"error": {
        "message": "this address speaks TLS: write https:// in place of http:// in the base URL",
        "type": "invalid_request_error",
        "param": null,
        "code": "tls_required",
    }});
    let body = body.to_string();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    copy(&mut stream, &mut sink()).await?;
    Ok(())
}
