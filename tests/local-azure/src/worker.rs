//! The built-in worker: what the image of a container group stands for on the local Azure.
//!
//! It does what a real one does: it takes one message of the subscription that its environment names, works, settles
//! the message and exits. It exits with 0 if and only if it has settled a message.

use std::time::Duration;

use fe2o3_amqp_types::primitives::SimpleValue;
use tokio::time::sleep;

use crate::client::{Client, ClientError, Received};
use crate::container_groups::{Exit, Job, LogSink, Run, Worker};
use crate::sample::FILE_SIZE_MB;

/// A worker that takes a message, takes its time and settles it.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// How long the smallest file takes.
    pub at_least: Duration,
    /// How much longer a file takes for each GiB (1024 MiB) that it has.
    pub per_gib: Duration,
    /// How long it waits for a message before it gives up.
    pub patience: Duration,
}

impl Default for BuiltIn {
    /// Works for milliseconds, and is as patient as a message that is locked elsewhere may need: the lock of a
    /// subscription lasts a minute at the most by default.
    fn default() -> Self {
        Self { at_least: Duration::from_millis(10), per_gib: Duration::ZERO, patience: Duration::from_mins(1) }
    }
}

impl Worker for BuiltIn {
    fn run(&self, job: Job) -> Run {
        let worker = *self;
        Box::pin(async move {
            match worker.serve_one(&job).await {
                Ok(()) => Exit::Code(0),
                Err(error) => {
                    job.log.line(format!("failed: {error}"));
                    Exit::Code(1)
                }
            }
        })
    }
}

/// Why a worker settled no message.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("the variable {0} is not set")]
    NotSet(&'static str),
    #[error("no message came within {} s", .0.as_secs())]
    NoMessage(Duration),
    #[error(transparent)]
    ServiceBus(#[from] ClientError),
}

impl BuiltIn {
    async fn serve_one(self, job: &Job) -> Result<(), WorkerError> {
        let variable = |name| job.environment.get(name).map(String::as_str).ok_or(WorkerError::NotSet(name));
        let connection_string = variable("SERVICE_BUS_CONNECTION_STRING")?;
        let (topic, subscription) = (variable("TOPIC")?, variable("SUBSCRIPTION")?);
        job.log.line(format!("started with {} GB; looking for a message in {topic}/{subscription}", job.memory_gb));
        let mut client = Client::connect(connection_string).await?;
        let served = self.take_and_settle(&mut client, topic, subscription, &job.log).await;
        client.close().await;
        served
    }

    async fn take_and_settle(
        self,
        client: &mut Client,
        topic: &str,
        subscription: &str,
        log: &LogSink,
    ) -> Result<(), WorkerError> {
        let received = client.receive_one(topic, subscription, self.patience).await?;
        let received = received.ok_or(WorkerError::NoMessage(self.patience))?;
        let id = received.message_id().unwrap_or_else(|| "without an id".to_owned());
        let size = file_size_mb(&received);
        let work = self.at_least + self.per_gib.mul_f64(size / 1024.0);
        log.line(format!("took message {id}; its file of {size} MB needs {:.1} s", work.as_secs_f64()));
        sleep(work).await;
        client.complete(received).await?;
        log.line(format!("message {id} is done and settled"));
        Ok(())
    }
}

/// The size that the message gives, between none at all and the largest that a subscription of the samples takes: what
/// a sender made up must not keep the worker for years.
fn file_size_mb(message: &Received) -> f64 {
    let size = match message.property(FILE_SIZE_MB) {
        Some(SimpleValue::Int(size)) => f64::from(*size),
        Some(SimpleValue::Long(size)) => i32::try_from(*size).map_or(f64::MAX, f64::from),
        Some(SimpleValue::Double(size)) => f64::from(*size),
        Some(SimpleValue::String(size)) => size.parse().unwrap_or_default(),
        _ => 0.0,
    };
    size.max(0.0).min(f64::from(crate::sample::LARGEST_MB))
}
