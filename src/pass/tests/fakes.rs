//! Services in memory that record every call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::container_group::{
    Container, ContainerGroup, ContainerState, GroupName, GroupSpec, MemoryGb, Ownership, tag,
};
use crate::message::{FileSizeMb, MessageId, MessageState, PeekedMessage, SubscriptionName};
use crate::services::{
    Accepted, ArmError, ContainerGroups, ListedGroups, ListedSubscription, ListedTopic, Messages, PeekError, Peeker,
    Refusal, Subscriptions,
};
use crate::test_support::NOW;
use time::OffsetDateTime;
use tokio::time::Instant;

/// How long each call takes, in paused time.
const LATENCY: Duration = Duration::from_millis(100);

/// The calls of all fakes of a test, in order.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn add(&self, call: String) {
        self.0.lock().unwrap().push(call);
    }

    /// Returns and clears the calls so far.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A change of the groups that the scaler did not make.
pub type Change = fn(&FakeGroups);

/// Container groups in memory.
#[derive(Debug, Default)]
pub struct FakeGroups {
    pub calls: Calls,
    pub groups: Mutex<BTreeMap<GroupName, ContainerGroup>>,
    pub list_error: Option<ArmError>,
    /// Whether lists are stale, from before there were any groups.
    pub lists_nothing: bool,
    pub get_error: Mutex<Option<ArmError>>,
    pub create_error: Mutex<Option<ArmError>>,
    /// Errors of creates, by message id.
    pub create_errors: Mutex<BTreeMap<&'static str, ArmError>>,
    /// The ownership of new groups, according to the tags in answers.
    pub shown_ownership: Mutex<Option<Ownership>>,
    /// Whether lists contain each group twice.
    pub lists_twice: bool,
    pub delete_error: Mutex<Option<ArmError>>,
    pub log_error: Mutex<Option<ArmError>>,
    pub remaining: Mutex<Option<u32>>,
    /// A group whose create gets no answer.
    pub slow: Mutex<Option<String>>,
    /// From this much memory on, there is no room.
    pub no_room_from: Mutex<Option<MemoryGb>>,
    /// The time in the answers to lists.
    pub time: Mutex<Option<OffsetDateTime>>,
    /// A group that neither lists nor GETs show.
    pub hidden: Mutex<Option<String>>,
    /// Changes the groups right after the next GET.
    pub change: Mutex<Option<Change>>,
    /// How long a create takes, if not `LATENCY`.
    pub create_latency: Option<Duration>,
    /// The same for a delete.
    pub delete_latency: Option<Duration>,
    /// The same for a change of tags.
    pub tag_latency: Option<Duration>,
    pub deleting: AtomicUsize,
    pub most_deleting: AtomicUsize,
    pub creating: AtomicUsize,
    pub most_creating: AtomicUsize,
}

impl FakeGroups {
    pub fn change_after_get(&self, change: Change) {
        *self.change.lock().unwrap() = Some(change);
    }

    /// Adds a group whose only container is in this state.
    pub fn put(&self, name: &str, tags: &[(&str, &str)], state: &str) {
        let state = ContainerState { state: state.to_owned(), ..ContainerState::default() };
        let group = ContainerGroup {
            name: GroupName::parse(name).unwrap(),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            provisioning_state: "Succeeded".to_owned(),
            containers: vec![Container {
                name: "worker".to_owned(),
                state: Some(state),
                events: Vec::new(),
                memory: None,
            }],
            size: None,
            init_containers: Vec::new(),
            ownership: match tags.iter().find(|(key, _)| *key == tag::ACI_SCALER) {
                Some((_, "worker")) | None => Ownership::Tagged,
                Some(_) => Ownership::Foreign,
            },
        };
        self.groups.lock().unwrap().insert(group.name.clone(), group);
    }

    /// Adds a group whose only container ended at a time that Azure shows.
    pub fn put_ended(&self, name: &str) {
        self.put(name, &[], "Terminated");
        self.end(name);
    }

    /// Ends a group's containers at [`NOW`].
    pub fn end(&self, name: &str) {
        let mut groups = self.groups.lock().unwrap();
        let containers = groups.values_mut().filter(|group| group.name.as_str() == name);
        for state in containers.flat_map(|group| &mut group.containers).filter_map(|container| container.state.as_mut())
        {
            state.finished_at = Some(NOW);
        }
    }
}

impl ContainerGroups for FakeGroups {
    async fn list(&self) -> Result<ListedGroups, ArmError> {
        self.calls.add("list groups".to_owned());
        tokio::time::sleep(LATENCY).await;
        if let Some(error) = &self.list_error {
            return Err(error.clone());
        }
        if self.lists_nothing {
            return Ok(ListedGroups::default());
        }
        // Like Azure, a list does not show the states of containers.
        let mut groups: Vec<_> = self.groups.lock().unwrap().values().cloned().collect();
        for container in groups.iter_mut().flat_map(|group| &mut group.containers) {
            container.state = None;
        }
        if self.lists_twice {
            groups.extend(groups.clone());
        }
        Ok(ListedGroups { groups, time: *self.time.lock().unwrap() })
    }

    async fn get(&self, name: &GroupName) -> Result<Option<ContainerGroup>, ArmError> {
        self.calls.add(format!("get {name}"));
        tokio::time::sleep(LATENCY).await;
        if self.hidden.lock().unwrap().as_deref() == Some(name.as_str()) {
            std::future::pending::<()>().await;
        }
        if let Some(error) = self.get_error.lock().unwrap().clone() {
            return Err(error);
        }
        let group = self.groups.lock().unwrap().get(name).cloned();
        if let Some(change) = self.change.lock().unwrap().take() {
            change(self);
        }
        Ok(group)
    }

    async fn create(&self, spec: &GroupSpec) -> Result<Accepted, ArmError> {
        self.calls.add(format!("create {}", spec.name));
        let creating = self.creating.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_creating.fetch_max(creating, Ordering::SeqCst);
        tokio::time::sleep(self.create_latency.unwrap_or(LATENCY)).await;
        if self.slow.lock().unwrap().as_deref() == Some(spec.name.as_str()) {
            std::future::pending::<()>().await;
        }
        self.creating.fetch_sub(1, Ordering::SeqCst);
        if let Some(error) = self.create_error.lock().unwrap().clone() {
            return Err(error);
        }
        if let Some(error) = self.create_errors.lock().unwrap().get(spec.tags[tag::MESSAGE_ID].as_str()).cloned() {
            return Err(error);
        }
        if self.no_room_from.lock().unwrap().is_some_and(|memory| spec.memory >= memory) {
            return Err(ArmError::NoRoomForSize(Refusal::new("ServiceUnavailable", "")));
        }
        let tags: Vec<_> = spec.tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.put(spec.name.as_str(), &tags, "Running");
        Ok(Accepted { remaining: *self.remaining.lock().unwrap(), ownership: *self.shown_ownership.lock().unwrap() })
    }

    async fn delete(&self, name: &GroupName) -> Result<Accepted, ArmError> {
        self.calls.add(format!("delete {name}"));
        let deleting = self.deleting.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_deleting.fetch_max(deleting, Ordering::SeqCst);
        tokio::time::sleep(self.delete_latency.unwrap_or(LATENCY)).await;
        self.deleting.fetch_sub(1, Ordering::SeqCst);
        if let Some(error) = self.delete_error.lock().unwrap().clone() {
            return Err(error);
        }
        self.groups.lock().unwrap().remove(name);
        Ok(Accepted { remaining: *self.remaining.lock().unwrap(), ownership: None })
    }

    async fn tag(&self, name: &GroupName, tags: &BTreeMap<String, String>) -> Result<(), ArmError> {
        self.calls.add(format!("tag {name}"));
        tokio::time::sleep(self.tag_latency.unwrap_or(LATENCY)).await;
        if let Some(group) = self.groups.lock().unwrap().get_mut(name) {
            group.tags.clone_from(tags);
        }
        Ok(())
    }

    async fn logs(&self, name: &GroupName, container: &str, tail: u32) -> Result<String, ArmError> {
        self.calls.add(format!("logs {name} {container} {tail}"));
        tokio::time::sleep(LATENCY).await;
        match self.log_error.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok("one\ntwo\n".to_owned()),
        }
    }
}

/// Subscriptions in memory.
#[derive(Debug, Default)]
pub struct FakeSubscriptions {
    pub topic: ListedTopic,
    pub error: Option<ArmError>,
    /// How long the list takes.
    pub latency: Duration,
}

impl FakeSubscriptions {
    /// Subscriptions of which only the names are known.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let subscriptions = names.into_iter().map(ListedSubscription::new).collect();
        Self { topic: ListedTopic { subscriptions, is_partitioned: false }, ..Self::default() }
    }

    /// The subscription with this name.
    pub fn listed(&mut self, name: &str) -> &mut ListedSubscription {
        let mut listed = self.topic.subscriptions.iter_mut();
        listed.find(|listed| listed.name == name.into()).expect("it is listed")
    }
}

impl Subscriptions for FakeSubscriptions {
    async fn list(&self) -> Result<ListedTopic, ArmError> {
        tokio::time::sleep(self.latency).await;
        self.error.clone().map_or_else(|| Ok(self.topic.clone()), Err)
    }
}

/// Messages in memory, by subscription.
#[derive(Clone, Debug, Default)]
pub struct FakeMessages {
    pub calls: Calls,
    pub messages: BTreeMap<&'static str, Vec<PeekedMessage>>,
    pub connect_error: Option<PeekError>,
    /// Subscriptions whose links were kept from the last pass.
    pub familiar: Vec<&'static str>,
    /// Subscriptions that fail from this sequence number on.
    pub failing: BTreeMap<&'static str, i64>,
    /// A message that arrives in a subscription at this time.
    pub comes_in: Option<(Instant, &'static str, PeekedMessage)>,
    /// Subscriptions that never answer.
    pub hanging: Vec<&'static str>,
    /// Subscriptions whose pages always start with the first message.
    pub stuck: Vec<&'static str>,
    /// How pages are made, if not in ascending order of sequence numbers.
    pub page: Option<MakePage>,
    pub peeks: Arc<AtomicUsize>,
}

/// Makes a page from the messages and the number of earlier peeks.
pub type MakePage = fn(Vec<PeekedMessage>, usize) -> Vec<PeekedMessage>;

impl Messages for FakeMessages {
    type Peeker = Self;

    async fn connect(&self) -> Result<Self, PeekError> {
        self.connect_error.clone().map_or_else(|| Ok(self.clone()), Err)
    }
}

impl Peeker for FakeMessages {
    fn familiar(&self) -> Vec<SubscriptionName> {
        self.familiar.iter().map(|name| (*name).into()).collect()
    }

    async fn peek(
        &self,
        subscription: &SubscriptionName,
        from: i64,
        count: u32,
    ) -> Result<Vec<PeekedMessage>, PeekError> {
        let subscription = subscription.as_str();
        self.calls.add(format!("peek {subscription} {from} {count}"));
        tokio::time::sleep(LATENCY).await;
        if self.hanging.contains(&subscription) {
            std::future::pending::<()>().await;
        }
        if self.failing.get(subscription).is_some_and(|at| from >= *at) {
            return Err(PeekError::Unavailable { reason: "the connection was dropped".into() });
        }
        let from = if self.stuck.contains(&subscription) { 1 } else { from };
        let messages = self.messages.get(subscription).map(Vec::as_slice).unwrap_or_default();
        let is_in = |(at, to, _): &&(Instant, &str, PeekedMessage)| *at <= Instant::now() && *to == subscription;
        let comes_in = self.comes_in.iter().filter(is_in).map(|(_, _, message)| message);
        let rest = messages.iter().chain(comes_in);
        let rest = rest.filter(|message| message.sequence_number >= from).cloned().collect();
        let peeks = self.peeks.fetch_add(1, Ordering::SeqCst);
        let mut page = match self.page {
            Some(make) => make(rest, peeks),
            None => rest,
        };
        // A peek at a message's own number finds it.
        if let Some(exact) = page.iter().position(|message| message.sequence_number == from) {
            page[..=exact].rotate_right(1);
        }
        page.truncate(count as usize);
        Ok(page)
    }

    async fn close(self) {
        self.calls.add("close".to_owned());
    }
}

/// Valid messages `m1`, `m2`, … with these sequence numbers.
pub fn messages(numbers: std::ops::RangeInclusive<i64>) -> Vec<PeekedMessage> {
    let message = |sequence_number| PeekedMessage {
        sequence_number,
        message_id: MessageId::new(format!("m{sequence_number}")),
        file_size_mb: FileSizeMb::from_text("128"),
        state: MessageState::Active,
        enqueued_at: None,
        expires_at: None,
    };
    numbers.map(message).collect()
}
