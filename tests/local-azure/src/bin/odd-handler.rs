//! A custom handler for the tests of the Functions host. It misbehaves as its variables say.
//!
//! | Variable | What it does |
//! |---|---|
//! | `ODD_ANSWER` | the bytes that a POST is answered with before the connection is closed; `hang` for none at all |
//! | `ODD_GET` | the same for a GET |
//! | `ODD_EXIT_AT_START`, `ODD_EXIT_ON_POST` | a code to exit with, or `abort` to die of a signal |
//! | `ODD_DEAF` | if set, it does not listen |
//! | `ODD_STDOUT`, `ODD_STDERR` | text to print when it starts |
//!
//! Without them it answers a POST with an object that holds the request.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

fn main() -> io::Result<()> {
    let port = variable("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap_or_default();
    write!(io::stderr(), "{}", variable("ODD_STDERR").unwrap_or_default())?;
    write!(io::stdout(), "{}", variable("ODD_STDOUT").unwrap_or_default())?;
    writeln!(io::stdout(), "odd-handler listens on {port}")?;
    exit_if_told("ODD_EXIT_AT_START");
    thread::spawn(exit_when_interrupted);
    if variable("ODD_DEAF").is_some() {
        loop {
            thread::park();
        }
    }
    for stream in TcpListener::bind(format!("127.0.0.1:{port}"))?.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        thread::spawn(move || serve(stream));
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = Request::read(&mut reader)? {
        let is_post = request.line.starts_with("POST");
        if is_post {
            exit_if_told("ODD_EXIT_ON_POST");
        }
        match variable(if is_post { "ODD_ANSWER" } else { "ODD_GET" }) {
            Some(answer) if answer == "hang" => loop {
                thread::park();
            },
            Some(answer) => return stream.write_all(answer.as_bytes()),
            None if is_post => stream.write_all(request.echo().as_bytes())?,
            None => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?,
        }
    }
    Ok(())
}

struct Request {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(None);
        }
        let mut request = Self { line, headers: Vec::new(), body: Vec::new() };
        loop {
            match read_line(stream)? {
                end if end.is_empty() => break,
                header => request.headers.push(header.to_lowercase()),
            }
        }
        if request.headers.iter().any(|header| header == "transfer-encoding: chunked") {
            while let Ok(size @ 1..) = usize::from_str_radix(&read_line(stream)?, 16) {
                request.read_body(stream, size)?;
                read_line(stream)?;
            }
            read_line(stream)?;
        } else if let Some(size) = request.headers.iter().find_map(|header| header.strip_prefix("content-length: ")) {
            let size = size.parse().map_err(io::Error::other)?;
            request.read_body(stream, size)?;
        }
        Ok(Some(request))
    }

    fn read_body(&mut self, stream: &mut impl Read, size: usize) -> io::Result<()> {
        let start = self.body.len();
        self.body.resize(start + size, 0);
        stream.read_exact(&mut self.body[start..])
    }

    fn echo(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let value = serde_json::json!({ "line": self.line, "headers": self.headers, "body": body });
        let answer =
            serde_json::json!({ "Outputs": {}, "Logs": [format!("echo of the body: {body}")], "ReturnValue": value })
                .to_string();
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}", answer.len())
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// Without this an interrupt would also end the process, unless the tests run where interrupts are ignored, as in a shell's
/// background.
#[expect(clippy::exit, reason = "nothing else ends the threads")]
fn exit_when_interrupted() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    std::process::exit(130)
}

#[expect(clippy::exit, reason = "to exit with a given code, at once and from any thread, is what this is for")]
fn exit_if_told(name: &str) {
    match variable(name) {
        Some(code) if code == "abort" => std::process::abort(),
        Some(code) => std::process::exit(code.parse().unwrap_or(1)),
        None => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is how tests tell it what to do")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
