//! Azure in memory, on the simulated clock, with the latencies of recorded answers. Nothing fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aci_scaler::container_group::{Container, ContainerEvent, ContainerGroup, ContainerState, GroupName, GroupSpec};
use aci_scaler::container_group::{Ownership, tag};
use aci_scaler::message::{FileSizeMb, MessageId, MessageState, PeekedMessage, SubscriptionName};
use aci_scaler::services::{
    Accepted, ArmError, ContainerGroups, ListedGroups, ListedSubscription, ListedTopic, Messages, PeekError, Peeker,
    Subscriptions,
};
use aci_scaler::sync::Mutex;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::{Instant, sleep};

use super::workload::{Arrival, SUBSCRIPTIONS};
use crate::bound::{GROUPS_PAGE, Latency};

/// When the day begins.
const MIDNIGHT: OffsetDateTime = datetime!(2026-01-05 0:00 UTC);

const LATENCY: Latency = Latency::RECORDED;

/// From the PUT to the first work: the image is pulled.
const START: Duration = Duration::from_secs(40);

/// All services. Clones share them.
#[derive(Clone)]
pub struct Azure {
    midnight: Instant,
    state: Arc<Mutex<State>>,
}

struct State {
    /// A message's sequence number is its index, counted from 1.
    messages: Vec<Message>,
    groups: BTreeMap<GroupName, Group>,
    calls: Calls,
    has_connected: bool,
}

struct Message {
    arrival: Arrival,
    /// When the PUT of its group was sent.
    put_at: Option<Duration>,
}

struct Group {
    tags: BTreeMap<String, String>,
    message: usize,
    created_at: Duration,
}

/// The number of requests to the services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Pages of lists, GETs of groups, and logs.
    pub reads: usize,
    pub writes: usize,
    pub peeks: usize,
}

impl Azure {
    /// Starts the day.
    pub fn new(arrivals: &[Arrival]) -> Self {
        let messages = arrivals.iter().map(|&arrival| Message { arrival, put_at: None }).collect();
        let (groups, calls) = (BTreeMap::new(), Calls::default());
        let state = State { messages, groups, calls, has_connected: false };
        Self { midnight: Instant::now(), state: Arc::new(Mutex::new(state)) }
    }

    /// The current time.
    pub fn now(&self) -> OffsetDateTime {
        MIDNIGHT + self.time()
    }

    /// The time since midnight.
    pub fn time(&self) -> Duration {
        self.midnight.elapsed()
    }

    pub fn calls(&self) -> Calls {
        self.state.lock().calls
    }

    /// How long each message waited from its enqueued time to the PUT of its group, if that was sent.
    pub fn reactions(&self) -> Vec<(Arrival, Option<Duration>)> {
        let state = self.state.lock();
        let reaction = |message: &Message| message.put_at?.checked_sub(message.arrival.at);
        state.messages.iter().map(|message| (message.arrival, reaction(message))).collect()
    }

    pub fn groups(&self) -> usize {
        self.state.lock().groups.len()
    }

    async fn read(&self, pages: usize, latency: Duration) {
        self.state.lock().calls.reads += pages;
        sleep(latency * u32::try_from(pages).unwrap_or(u32::MAX)).await;
    }

    async fn write(&self) {
        self.state.lock().calls.writes += 1;
        sleep(LATENCY.write).await;
    }
}

impl Message {
    /// When its worker completes the message, once it has a group.
    fn ends_at(&self) -> Option<Duration> {
        Some(self.put_at? + START + self.arrival.work)
    }

    fn is_there(&self, now: Duration) -> bool {
        self.arrival.at <= now && self.ends_at().is_none_or(|end| now < end)
    }
}

impl Group {
    /// As Azure shows it. A list does not show the container's state.
    fn shown(&self, name: &GroupName, message: &Message, now: Duration, in_list: bool) -> ContainerGroup {
        let (start, end) = (self.created_at + START, self.created_at + START + message.arrival.work);
        let at = |moment: Duration| Some(MIDNIGHT + moment);
        let state = match now {
            now if now < start => ContainerState { state: "Waiting".to_owned(), ..ContainerState::default() },
            now if now < end => {
                ContainerState { state: "Running".to_owned(), started_at: at(start), ..ContainerState::default() }
            }
            _ => ContainerState {
                state: "Terminated".to_owned(),
                exit_code: Some(0),
                started_at: at(start),
                finished_at: at(end),
                detail_status: Some("Completed".to_owned()),
            },
        };
        let events = vec![ContainerEvent {
            name: "Pulling".to_owned(),
            message: "pulling image local/worker:latest".to_owned(),
            is_warning: false,
            first_at: at(self.created_at),
        }];
        let (state, events) = if in_list { (None, Vec::new()) } else { (Some(state), events) };
        ContainerGroup {
            name: name.clone(),
            tags: self.tags.clone(),
            provisioning_state: if now < start { "Creating" } else { "Succeeded" }.to_owned(),
            containers: vec![Container { name: Container::WORKER.to_owned(), state, events, memory: None }],
            size: None,
            init_containers: Vec::new(),
            ownership: Ownership::Tagged,
        }
    }
}

impl ContainerGroups for Azure {
    async fn list(&self) -> Result<ListedGroups, ArmError> {
        let pages = self.groups().div_ceil(GROUPS_PAGE).max(1);
        self.read(pages, LATENCY.list).await;
        let (state, now) = (self.state.lock(), self.time());
        let shown = |(name, group): (&GroupName, &Group)| group.shown(name, &state.messages[group.message], now, true);
        Ok(ListedGroups { groups: state.groups.iter().map(shown).collect(), time: Some(self.now()) })
    }

    async fn get(&self, name: &GroupName) -> Result<Option<ContainerGroup>, ArmError> {
        self.read(1, LATENCY.get).await;
        let (state, now) = (self.state.lock(), self.time());
        let group = state.groups.get(name);
        Ok(group.map(|group| group.shown(name, &state.messages[group.message], now, false)))
    }

    async fn create(&self, spec: &GroupSpec) -> Result<Accepted, ArmError> {
        let sent_at = self.time();
        {
            let mut state = self.state.lock();
            let number = spec.tags.get(tag::SEQUENCE_NUMBER).and_then(|number| number.parse::<usize>().ok());
            let message = number.map_or(0, |number| number - 1);
            state.messages[message].put_at.get_or_insert(sent_at);
            let tags = spec.tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
            state.groups.insert(spec.name.clone(), Group { tags, message, created_at: sent_at });
        }
        self.write().await;
        Ok(Accepted::default())
    }

    async fn tag(&self, name: &GroupName, tags: &BTreeMap<String, String>) -> Result<(), ArmError> {
        self.write().await;
        if let Some(group) = self.state.lock().groups.get_mut(name) {
            group.tags.clone_from(tags);
        }
        Ok(())
    }

    async fn delete(&self, name: &GroupName) -> Result<Accepted, ArmError> {
        self.write().await;
        self.state.lock().groups.remove(name);
        Ok(Accepted::default())
    }

    async fn logs(&self, _: &GroupName, _: &str, _: u32) -> Result<String, ArmError> {
        self.read(1, LATENCY.get).await;
        Ok(String::new())
    }
}

fn subscription(number: u64) -> SubscriptionName {
    SubscriptionName::new(format!("subscription-{number:02}"))
}

impl Subscriptions for Azure {
    async fn list(&self) -> Result<ListedTopic, ArmError> {
        self.read(1, LATENCY.list).await;
        let subscriptions = (0..SUBSCRIPTIONS).map(|number| ListedSubscription::new(subscription(number))).collect();
        Ok(ListedTopic { subscriptions, is_partitioned: false })
    }
}

impl Messages for Azure {
    type Peeker = Self;

    async fn connect(&self) -> Result<Self, PeekError> {
        sleep(LATENCY.service_bus).await;
        Ok(self.clone())
    }
}

impl Peeker for Azure {
    /// The connection is always kept, because nothing fails.
    fn familiar(&self) -> Vec<SubscriptionName> {
        if std::mem::replace(&mut self.state.lock().has_connected, true) {
            (0..SUBSCRIPTIONS).map(subscription).collect()
        } else {
            Vec::new()
        }
    }

    async fn peek(&self, of: &SubscriptionName, from: i64, count: u32) -> Result<Vec<PeekedMessage>, PeekError> {
        self.state.lock().calls.peeks += 1;
        sleep(LATENCY.service_bus).await;
        let (state, now) = (self.state.lock(), self.time());
        let of = (0..SUBSCRIPTIONS).find(|number| subscription(*number) == *of);
        let from = usize::try_from(from).unwrap_or_default().max(1);
        let rest = state.messages.iter().enumerate().skip(from - 1);
        let there = rest.filter(|(_, message)| Some(message.arrival.subscription) == of && message.is_there(now));
        Ok(there.take(count as usize).map(|(place, message)| peeked(place + 1, message)).collect())
    }

    async fn close(self) {}
}

fn peeked(number: usize, message: &Message) -> PeekedMessage {
    PeekedMessage {
        sequence_number: i64::try_from(number).unwrap_or(i64::MAX),
        message_id: MessageId::new(format!("message-{number}")),
        file_size_mb: FileSizeMb::from_text("128"),
        state: MessageState::Active,
        enqueued_at: Some(MIDNIGHT + message.arrival.at),
        expires_at: None,
    }
}
