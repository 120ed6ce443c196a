//! A handler to talk to.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aci_scaler::deadline::Deadline;
use aci_scaler::handler::{self, InvocationFailure, PassSummary, Passes};
use local_azure::functions_host::variants::tick;
use local_azure::functions_host::{HandlerClient, Outcome};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// `PASS_DEADLINE_SECONDS` as it is if it is not set.
pub const PASS_DEADLINE: Duration = Duration::from_mins(4);

pub type PassResult = Result<PassSummary, InvocationFailure>;

/// A handler that serves on a port of its own.
pub struct Served {
    pub port: u16,
    pub client: HandlerClient,
    /// How often the scaler was closed.
    pub closed: Arc<AtomicUsize>,
    shutdown: oneshot::Sender<&'static str>,
    server: JoinHandle<io::Result<&'static str>>,
}

/// A scaler that does as it is told, and counts how often it is closed.
struct FakeScaler<F>(F, Arc<AtomicUsize>);

impl<F, P> Passes for FakeScaler<F>
where
    F: Fn(Deadline) -> P + Send + Sync + 'static,
    P: Future<Output = PassResult> + Send,
{
    fn pass(&self, deadline: Deadline) -> impl Future<Output = PassResult> + Send {
        (self.0)(deadline)
    }

    async fn close(&self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// Starts a handler whose passes are `pass`.
pub async fn serve<P>(pass: impl Fn(Deadline) -> P + Send + Sync + 'static) -> Served
where
    P: Future<Output = PassResult> + Send + 'static,
{
    serve_every(Duration::ZERO, pass).await
}

/// The same, with at least so long from the beginning of one pass to that of the next.
pub async fn serve_every<P>(between: Duration, pass: impl Fn(Deadline) -> P + Send + Sync + 'static) -> Served
where
    P: Future<Output = PassResult> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (shutdown, told) = oneshot::channel();
    let told = async { told.await.expect("the test keeps the sender until it is done") };
    let closed = Arc::<AtomicUsize>::default();
    let scaler = FakeScaler(pass, Arc::clone(&closed));
    let server = tokio::spawn(handler::serve(listener, scaler, PASS_DEADLINE, between, told));
    Served { port, client: HandlerClient::new(port).unwrap(), closed, shutdown, server }
}

impl Served {
    /// Invokes the handler as the host does on a timer's tick.
    pub async fn invoke(&self) -> Outcome {
        self.client.invoke(&tick(), None).await
    }

    /// Sends bytes and returns the whole answer.
    pub async fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Sends a request without a body and returns the status.
    pub async fn status(&self, method: &str, path: &str) -> u16 {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        self.exchange(&request).await.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Tells the handler to end, as a signal does.
    pub fn shut_down(self) -> JoinHandle<io::Result<&'static str>> {
        self.shutdown.send("told to").unwrap();
        self.server
    }
}

/// What a pass returns that went well.
pub fn summary() -> PassSummary {
    PassSummary { lines: vec!["1 group created".to_owned()], report: json!({ "created": 1 }) }
}

/// How the host sees such a pass.
pub fn success() -> Outcome {
    Outcome::Succeeded { return_value: json!({ "created": 1 }), logs: vec!["1 group created".to_owned()] }
}
