//! The scaler's main job from beginning to end, with a line for each step.
//!
//! It sends messages of several sizes to a local Azure and invokes the scaler as the Functions host does, until every message is
//! served and every container group is deleted, or the time is up.

mod group_watch;
mod scaler_log;
mod story;
mod summary;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::client::{Client, ClientError};
use crate::container_groups::{ContainerGroupsConfig, Engine};
use crate::engine::DockerEngine;
use crate::function_app::{FUNCTION, FunctionApp, FunctionAppError};
use crate::functions_host::{FunctionsHost, LogRecord, Outcome};
use crate::local::{IMAGE, LocalAzure, LocalAzureConfig, TOPIC};
use crate::sample::{self, SUBSCRIPTIONS, SampleError};
use crate::service_bus::BrokerError;
use crate::worker::BuiltIn;

pub(crate) use group_watch::GroupWatch;
pub(crate) use scaler_log::worth_telling;
pub use story::Story;
pub use summary::Summary;

/// The sizes of the messages' files, in MiB: some for each subscription, in no order.
const SIZES_MB: [u32; 12] = [8, 1024, 120, 400, 30, 700, 60, 250, 50, 850, 180, 600];

/// After this many failed passes in a row the demonstration ends: the scaler does not even start.
const MAX_FAILED_PASSES: u32 = 3;

/// What is run, and how.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The scaler's binary.
    pub scaler: PathBuf,
    /// The most container groups at a time.
    pub cap: u32,
    /// The time from one pass to the next.
    pub pass_interval: Duration,
    /// How long it may take.
    pub deadline: Duration,
    /// What the containers do.
    pub worker: BuiltIn,
    /// What runs their image instead of the worker.
    pub engine: Option<DockerEngine>,
    /// The image of the container groups.
    pub image: String,
}

/// The demonstration could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A port could not be listened on.
    #[error("the local Azure did not start: {0}")]
    Start(#[from] io::Error),
    /// The topic could not be set up.
    #[error("the topic could not be set up: {0}")]
    Sample(#[from] SampleError),
    /// The messages could not be sent.
    #[error("the messages could not be sent: {0}")]
    Send(#[from] ClientError),
    /// The topic cannot be read.
    #[error("the topic cannot be looked at: {0}")]
    Topic(#[from] BrokerError),
    /// The scaler could not be started.
    #[error(transparent)]
    FunctionApp(#[from] FunctionAppError),
}

impl Demo {
    /// The demonstration as a newcomer sees it: half of the messages wait for a slot at first, and there is a pass every
    /// two seconds.
    pub fn new(scaler: PathBuf) -> Self {
        Self {
            scaler,
            cap: 6,
            pass_interval: Duration::from_secs(2),
            // Under a minute, with time left to end.
            deadline: Duration::from_secs(55),
            // The sizes within one subscription differ by less than 1 GiB, so workers that started together there end
            // within one interval of each other. That matters where one took the message of another's group: a message
            // whose group has gone would get a second one.
            worker: BuiltIn {
                at_least: Duration::from_secs(1),
                per_gib: Duration::from_secs(2),
                patience: Duration::from_secs(20),
            },
            engine: None,
            image: IMAGE.to_owned(),
        }
    }

    /// Runs it and reports it, line by line.
    pub async fn run(&self, story: &Story) -> Result<Summary, DemoError> {
        let azure = self.start_azure().await?;
        story.tell(
            "azure",
            &format!(
                "Service Bus is on port {}, Resource Manager, container instances and managed identity are at {}",
                azure.service_bus.port(),
                azure.resource_manager.endpoint(),
            ),
        );
        send(&azure, story).await?;
        let mut settings = azure.scaler_environment();
        settings.insert("ACI_IMAGE".to_owned(), self.image.clone());
        settings.insert("ACI_MAX_INSTANCES".to_owned(), self.cap.to_string());
        settings.insert("LOG_FORMAT".to_owned(), "json".to_owned());
        settings.insert("SCALE_EVERY_SECONDS".to_owned(), "0".to_owned());
        let app = FunctionApp::start(&self.scaler, settings, |config| config).await?;
        story.tell(
            "scaler",
            &format!(
                "runs under the Functions host, with {} container groups at a time at the most and a pass every {} s \
                 (in Azure: every 15 s)",
                self.cap,
                self.pass_interval.as_secs_f64(),
            ),
        );
        let mut records = app.host.records().follow();
        let summary = self.serve(&azure, &app.host, &mut records, story).await?;
        app.host.stop().await;
        while let Ok(record) = records.try_recv() {
            tell_record(&record, story);
        }
        azure.resource_manager.stop().await;
        azure.service_bus.shutdown();
        Ok(summary)
    }

    async fn start_azure(&self) -> Result<LocalAzure, DemoError> {
        let mut config = LocalAzureConfig::default();
        config.resource_manager.container_groups = ContainerGroupsConfig {
            worker: Arc::new(self.worker),
            engine: self.engine.clone().map(|engine| Arc::new(engine) as Arc<dyn Engine>),
            pending: Duration::from_millis(300),
            pulling: Duration::from_millis(500),
            ..ContainerGroupsConfig::default()
        };
        let azure = LocalAzure::start(config).await?;
        if let Some(engine) = &self.engine {
            engine.reach(azure.ports());
        }
        sample::create_subscriptions(&azure.service_bus)?;
        Ok(azure)
    }

    /// Makes passes, and reports what happens, until everything is done, the time is up or the scaler has failed too often.
    async fn serve(
        &self,
        azure: &LocalAzure,
        host: &FunctionsHost,
        records: &mut UnboundedReceiver<LogRecord>,
        story: &Story,
    ) -> Result<Summary, DemoError> {
        let groups = azure.resource_manager.container_groups();
        let (mut changes, mut watch) = (groups.changes(), GroupWatch::default());
        let mut ticks = interval(self.pass_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let deadline = sleep_until(Instant::now() + self.deadline.saturating_sub(story.elapsed()));
        tokio::pin!(deadline);
        let (mut passes, mut failed_passes, mut pass) = (0, 0, None);
        loop {
            tokio::select! {
                // What the scaler logged during a pass comes before the pass's sums.
                biased;
                Some(record) = records.recv() => tell_record(&record, story),
                // The scaler's log reports deleted groups, after their last lines.
                Ok(()) = changes.changed() => drop(watch.look(&groups.groups(), story)),
                outcome = async { pass.as_mut().expect("it is only polled while there is one").await },
                    if pass.is_some() => {
                    pass = None;
                    passes += 1;
                    failed_passes = if matches!(outcome, Outcome::Succeeded { .. }) { 0 } else { failed_passes + 1 };
                    tell_pass(passes, &outcome, story);
                }
                () = &mut deadline => break,
                _ = ticks.tick(), if pass.is_none() => pass = Some(Box::pin(invoke(host))),
            }
            let is_done = pass.is_none() && passes > 0 && left(azure)?.is_empty();
            if is_done || failed_passes == MAX_FAILED_PASSES {
                break;
            }
        }
        watch.look(&groups.groups(), story);
        let tally = watch.tally();
        let waiting = waiting(azure)?.len();
        Ok(Summary {
            sent: SIZES_MB.len(),
            served: SIZES_MB.len() - waiting,
            created: tally.created,
            deleted: tally.deleted,
            most_at_once: tally.most_at_once,
            cap: self.cap,
            passes,
            took: story.elapsed(),
            left: left(azure)?,
        })
    }
}

/// Sends the messages over AMQP and reports into which subscriptions they went.
async fn send(azure: &LocalAzure, story: &Story) -> Result<(), DemoError> {
    let names = SUBSCRIPTIONS.map(|(name, _)| name).join(", ");
    story.tell("azure", &format!("topic {TOPIC} has the subscriptions {names}"));
    let mut client = Client::connect(&azure.service_bus.connection_string()).await?;
    for (number, size) in SIZES_MB.iter().enumerate() {
        let id = format!("file-{:02}", number + 1);
        client.send(TOPIC, [sample::message(&id, *size)]).await?;
        let taken_by: Vec<_> =
            waiting(azure)?.into_iter().filter(|(_, message)| *message == id).map(|(name, _)| name).collect();
        story.tell("message", &format!("{id} of {size} MB is sent, and is in {}", taken_by.join(" and ")));
    }
    client.close().await;
    Ok(())
}

async fn invoke(host: &FunctionsHost) -> Outcome {
    match host.invocation(FUNCTION).await {
        Some(invocation) => host.invoke(&invocation).await,
        None => Outcome::Failed { reason: format!("there is no function {FUNCTION}") },
    }
}

fn tell_record(record: &LogRecord, story: &Story) {
    for (who, text) in worth_telling(record) {
        story.tell(who, &text);
    }
}

fn tell_pass(number: u32, outcome: &Outcome, story: &Story) {
    let who = format!("pass {number}");
    match outcome {
        // The scaler's own log has its sums.
        Outcome::Succeeded { .. } => {}
        Outcome::Failed { reason } => story.tell(&who, &format!("failed: {reason}")),
        Outcome::TimedOut => story.tell(&who, "timed out"),
    }
}

/// The messages that are not settled, each with its subscription's name.
fn waiting(azure: &LocalAzure) -> Result<Vec<(String, String)>, BrokerError> {
    let mut waiting = Vec::new();
    for subscription in azure.service_bus.subscriptions(TOPIC)? {
        let messages = azure.service_bus.peek_all(TOPIC, &subscription.name)?;
        let dead_letters = azure.service_bus.peek_all_dead_letters(TOPIC, &subscription.name)?;
        let ids = messages.into_iter().chain(dead_letters).map(|message| message.message_id.unwrap_or_default());
        waiting.extend(ids.map(|id| (subscription.name.clone(), id)));
    }
    Ok(waiting)
}

/// What is not done yet, in words.
fn left(azure: &LocalAzure) -> Result<Vec<String>, BrokerError> {
    let messages = waiting(azure)?.into_iter().map(|(subscription, id)| format!("message {id} in {subscription}"));
    let groups = azure.resource_manager.container_groups().groups();
    let groups = groups.into_iter().map(|group| format!("container group {} ({:?})", group.name, group.phase));
    Ok(messages.chain(groups).collect())
}
