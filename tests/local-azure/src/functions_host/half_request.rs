//! Requests that begin and never end.

use std::io;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How much of a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// Nothing: the connection is all.
    Connection,
    /// A part of the headers.
    Headers,
    /// The headers, and a part of the body.
    Body,
}

/// A connection on which a part of an invocation was sent. It stays open until this is dropped, or the handler closes it.
#[derive(Debug)]
pub struct HalfRequest(TcpStream);

impl HalfRequest {
    pub(super) async fn send(port: u16, function: &str, half: Half) -> io::Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        let start =
            format!("POST /{function} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n");
        let sent = match half {
            Half::Connection => String::new(),
            Half::Headers => format!("{start}Content-Len"),
            Half::Body => format!("{start}Content-Length: 1000\r\n\r\n{{\"Data\":"),
        };
        stream.write_all(sent.as_bytes()).await?;
        Ok(Self(stream))
    }

    /// Waits until the handler closes the connection, and returns what it sent before.
    ///
    /// # Errors
    /// When the connection is reset, which ends it too.
    pub async fn ended(&mut self) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}
