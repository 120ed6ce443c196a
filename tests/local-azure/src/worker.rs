//! The built-in worker: what runs on the local Azure instead of a container group's image.
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
    /// Works for milliseconds, and waits as long as a message may be locked by another receiver: a minute at most by
    /// default.
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
    #[error("no message came within {} s", .0.as_secs_f64())]
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

/// The size in the message, between zero and the largest size of the sample subscriptions: an absurd size must not keep the
/// worker busy for years.
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::local::{LocalAzure, LocalAzureConfig, TOPIC};
    use crate::sample;

    const SUBSCRIPTION: &str = "51-200MB";

    async fn azure() -> LocalAzure {
        let azure = LocalAzure::start(LocalAzureConfig::default()).await.unwrap();
        sample::create_subscriptions(&azure.service_bus).unwrap();
        azure
    }

    /// Runs a worker of a subscription of this namespace and returns how it ended and what it printed.
    async fn run(azure: &LocalAzure, without: Option<&str>, patience: Duration) -> (Exit, String) {
        let connection_string = azure.service_bus.connection_string();
        let variables = [
            ("SERVICE_BUS_CONNECTION_STRING", connection_string.as_str()),
            ("TOPIC", TOPIC),
            ("SUBSCRIPTION", SUBSCRIPTION),
        ];
        let environment: BTreeMap<_, _> = variables
            .into_iter()
            .filter(|(name, _)| Some(*name) != without)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let log = LogSink::default();
        let job = Job {
            group: "worker-1".to_owned(),
            container: "worker".to_owned(),
            image: "local/worker:latest".to_owned(),
            command: Vec::new(),
            environment,
            memory_gb: 1.0,
            cpu: 1.0,
            log: log.clone(),
        };
        let exit = BuiltIn { patience, ..BuiltIn::default() }.run(job).await;
        (exit, log.lines().join("\n"))
    }

    #[tokio::test]
    async fn a_worker_settles_the_oldest_message_of_its_subscription_and_no_other() {
        let azure = azure().await;
        let messages = [("other", 8), ("first", 120), ("second", 60)].map(|(id, size)| sample::message(id, size));
        azure.service_bus.publish_all(TOPIC, messages).unwrap();
        let (exit, log) = run(&azure, None, Duration::from_secs(20)).await;
        assert_eq!(exit, Exit::Code(0), "{log}");
        assert!(log.ends_with("message first is done and settled"), "{log}");
        let left = azure.service_bus.peek_all(TOPIC, SUBSCRIPTION).unwrap();
        assert_eq!(left.iter().map(|message| message.message_id.as_deref()).collect::<Vec<_>>(), [Some("second")]);
        assert_eq!(azure.service_bus.peek_all(TOPIC, "1-50MB").unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_worker_without_a_message_fails_when_its_patience_ends() {
        let (exit, log) = run(&azure().await, None, Duration::from_millis(20)).await;
        assert_eq!(exit, Exit::Code(1));
        assert!(log.ends_with("failed: no message came within 0.02 s"), "{log}");
    }

    #[tokio::test]
    async fn a_worker_without_a_setting_names_it_and_fails() {
        let azure = azure().await;
        for name in ["SERVICE_BUS_CONNECTION_STRING", "TOPIC", "SUBSCRIPTION"] {
            let (exit, log) = run(&azure, Some(name), Duration::from_secs(20)).await;
            assert_eq!(exit, Exit::Code(1));
            assert_eq!(log, format!("failed: the variable {name} is not set"));
        }
    }
}
