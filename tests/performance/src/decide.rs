//! Passes without I/O: the cost of deciding alone.

use std::collections::BTreeMap;
use std::time::Duration;

use aci_scaler::clock::Clock;
use aci_scaler::container_group::{Container, ContainerGroup, ContainerState, GroupName, GroupSpec, Ownership};
use aci_scaler::deadline::Deadline;
use aci_scaler::message::{FileSizeMb, MessageId, MessageState, PeekedMessage, SubscriptionName};
use aci_scaler::pass::{Mode, Scaler};
use aci_scaler::services::{
    Accepted, ArmError, ContainerGroups, ListedGroups, ListedSubscription, ListedTopic, Messages, PeekError, Peeker,
    Services, Subscriptions,
};
use aci_scaler::settings::Settings;
use local_azure::local::LocalAzure;

use crate::Result;
use crate::document::{Check, Section};
use crate::world;

/// The number that the target is for.
const GROUPS: usize = 1000;
const MESSAGES: usize = 10_000;
const SUBSCRIPTIONS: usize = 20;

/// The highest cap that the settings allow.
const MAX_INSTANCES: usize = 5000;

/// The most CPU time that a pass without I/O takes.
const MAX_CPU: Duration = Duration::from_millis(30);

/// Enough for a stable mean. Some kernels count a thread's CPU time in steps of 4 ms, so a single pass cannot be measured.
const PASSES: u32 = 50;

/// Groups in memory.
struct Groups(Vec<ContainerGroup>);

/// The names of subscriptions, and as many messages in each.
#[derive(Clone)]
struct Topic {
    subscriptions: usize,
    messages: Vec<PeekedMessage>,
}

/// Plans passes over 1,000 groups and 10,000 messages without a group, 4,000 of which get a slot.
pub async fn section() -> Result<Section> {
    let azure = world::start().await?;
    let scaler = scaler(&azure)?;
    let before = thread_cpu()?;
    for _ in 0..PASSES {
        let report = scaler.pass(Mode::PlanOnly, &Deadline::after(Duration::from_mins(4))).await?;
        let planned = report.message_counts.get("to_be_created").copied();
        if planned != Some(MAX_INSTANCES - GROUPS) {
            return Err(format!("{:?}", report.message_counts).into());
        }
    }
    let cpu = thread_cpu()?.saturating_sub(before) / PASSES;
    let mut section = Section::new("decision", &["decided without I/O", "CPU, ms"]);
    section.row(vec![
        format!("{GROUPS} groups, {MESSAGES} new messages in {SUBSCRIPTIONS} subscriptions"),
        format!("{:.1}", cpu.as_secs_f64() * 1000.0),
    ]);
    section.check(Check::new(cpu < MAX_CPU, || format!("deciding takes {cpu:?} of CPU, and {MAX_CPU:?} is the limit")));
    Ok(section)
}

fn scaler(azure: &LocalAzure) -> Result<Scaler<Groups, Topic, Topic>> {
    let mut environment = azure.scaler_environment();
    environment.insert("ACI_MAX_INSTANCES".to_owned(), MAX_INSTANCES.to_string());
    let settings = Settings::from_environment(&environment)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let groups = (0..GROUPS).map(group).collect::<Result<_>>()?;
    let messages = (1..=MESSAGES / SUBSCRIPTIONS).map(message).collect::<Result<_>>()?;
    let topic = Topic { subscriptions: SUBSCRIPTIONS, messages };
    let services = Services { groups: Groups(groups), subscriptions: topic.clone(), messages: topic };
    Ok(Scaler::new(services, &settings, Clock::system()))
}

fn group(number: usize) -> Result<ContainerGroup> {
    let tags = [
        ("managed_by", "worker".to_owned()),
        ("message_id", format!("running-{number}")),
        ("subscription_name", format!("subscription-{:04}", number % SUBSCRIPTIONS)),
        ("file_size_mb", "128".to_owned()),
        ("sequence_number", (1_000_000 + number).to_string()),
        ("attempt", "1".to_owned()),
    ];
    let state = ContainerState { state: "Running".to_owned(), ..ContainerState::default() };
    Ok(ContainerGroup {
        name: GroupName::parse(&format!("worker-{number}"))?,
        tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        provisioning_state: "Succeeded".to_owned(),
        containers: vec![Container { name: "worker".to_owned(), state: Some(state), events: Vec::new(), memory: None }],
        size: None,
        init_containers: Vec::new(),
        ownership: Ownership::Tagged,
    })
}

fn message(number: usize) -> Result<PeekedMessage> {
    Ok(PeekedMessage {
        sequence_number: i64::try_from(number)?,
        message_id: Ok(MessageId::new(format!("3f2504e0-4f89-11d3-9a0c-{number:012}"))?),
        file_size_mb: Ok(FileSizeMb::from_text("128.5")?),
        state: MessageState::Active,
        enqueued_at: None,
        expires_at: None,
    })
}

/// The CPU time of this thread, which passes without I/O never leave.
fn thread_cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split(' ').next().unwrap_or_default().parse()?))
}

impl ContainerGroups for Groups {
    async fn list(&self) -> std::result::Result<ListedGroups, ArmError> {
        Ok(ListedGroups { groups: self.0.clone(), time: None })
    }

    async fn get(&self, name: &GroupName) -> std::result::Result<Option<ContainerGroup>, ArmError> {
        let index = name.as_str().rsplit('-').next().and_then(|number| number.parse::<usize>().ok());
        Ok(index.and_then(|index| self.0.get(index)).cloned())
    }

    async fn create(&self, _: &GroupSpec) -> std::result::Result<Accepted, ArmError> {
        Ok(Accepted::default())
    }

    async fn tag(&self, _: &GroupName, _: &BTreeMap<String, String>) -> std::result::Result<(), ArmError> {
        Ok(())
    }

    async fn delete(&self, _: &GroupName) -> std::result::Result<Accepted, ArmError> {
        Ok(Accepted::default())
    }

    async fn logs(&self, _: &GroupName, _: &str, _: u32) -> std::result::Result<String, ArmError> {
        Ok(String::new())
    }
}

impl Subscriptions for Topic {
    async fn list(&self) -> std::result::Result<ListedTopic, ArmError> {
        let name = |number| SubscriptionName::new(format!("subscription-{number:04}"));
        let subscriptions = (0..self.subscriptions).map(|number| ListedSubscription::new(name(number))).collect();
        Ok(ListedTopic { subscriptions, is_partitioned: false })
    }
}

impl Messages for Topic {
    type Peeker = Self;

    async fn connect(&self) -> std::result::Result<Self, PeekError> {
        Ok(self.clone())
    }
}

impl Peeker for Topic {
    async fn peek(
        &self,
        _: &SubscriptionName,
        from_sequence_number: i64,
        count: u32,
    ) -> std::result::Result<Vec<PeekedMessage>, PeekError> {
        let from = usize::try_from(from_sequence_number - 1).unwrap_or_default();
        Ok(self.messages.iter().skip(from).take(count as usize).cloned().collect())
    }

    async fn close(self) {}
}
