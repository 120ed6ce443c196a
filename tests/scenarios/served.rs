//! A scaler that serves, and a client instead of its host.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use local_azure::functions_host::variants::tick;
use local_azure::functions_host::{HandlerClient, Outcome};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{PATIENCE, World};

/// A process of the scaler. Dropping it kills it.
pub struct Served {
    child: Child,
    host: HandlerClient,
    log: File,
    /// Bound and not listening: it keeps other tests from taking the scaler's port.
    port: TcpSocket,
}

impl Served {
    /// Starts a scaler in this world, and waits until it listens.
    pub async fn start(world: &World) -> Self {
        let log = tempfile::tempfile().unwrap();
        Self::start_logging(world, log.try_clone().unwrap(), log).await
    }

    /// The same, with this as both of its streams, so that its log cannot be read.
    pub async fn start_writing_to(world: &World, streams: impl Into<OwnedFd>) -> Self {
        Self::start_logging(world, File::from(streams.into()), tempfile::tempfile().unwrap()).await
    }

    async fn start_logging(world: &World, streams: File, log: File) -> Self {
        let reserved = TcpSocket::new_v4().unwrap();
        reserved.set_reuseaddr(true).unwrap();
        reserved.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let port = reserved.local_addr().unwrap().port();
        let child = world
            .command(&[])
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdout(streams.try_clone().unwrap())
            .stderr(streams)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < deadline, "the scaler listens");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { child, host: HandlerClient::new(port).unwrap(), log, port: reserved }
    }

    /// Opens a connection to it, and sends this.
    pub async fn begin_request(&self, begun: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.port.local_addr().unwrap()).await.unwrap();
        connection.write_all(begun.as_bytes()).await.unwrap();
        connection
    }

    /// Invokes it, and does not wait for the end.
    pub fn begin_pass(&self) -> JoinHandle<Outcome> {
        let host = self.host.clone();
        tokio::spawn(async move { host.invoke(&tick(), None).await })
    }

    /// Makes a pass, and returns how that ended.
    pub async fn invoke(&self) -> Outcome {
        self.host.invoke(&tick(), None).await
    }

    /// Makes a pass that must succeed, and returns its report.
    pub async fn pass(&self) -> Value {
        match self.invoke().await {
            Outcome::Succeeded { return_value, .. } => return_value,
            other => panic!("{other:?} in\n{}", self.log()),
        }
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it has not ended")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Waits for it to end.
    pub async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// Ends it by SIGKILL, and returns its log.
    pub async fn kill(mut self) -> String {
        self.child.kill().await.unwrap();
        self.log()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        // The process writes at the file's offset, so reading must not move it.
        let mut log = vec![0; usize::try_from(self.log.metadata().unwrap().len()).unwrap()];
        self.log.read_exact_at(&mut log, 0).unwrap();
        String::from_utf8(log).unwrap()
    }
}
