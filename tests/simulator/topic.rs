//! The simulated topic, as it is listed and peeked: with or without partitions, and with subscriptions that are disabled for
//! a while.

use std::collections::BTreeMap;

use aci_scaler::message::{FileSizeMb, InvalidMessage, MessageId, MessageState, PeekedMessage, SubscriptionName};
use aci_scaler::services::{
    ArmError, ListedSubscription, ListedTopic, MessageCounts, Messages, PeekError, Peeker, Subscriptions, Unserved,
};

use crate::azure::Azure;
use crate::random::Random;
use crate::world::{Message, World};

/// Where a partition's id begins in a sequence number.
const ID_SHIFT: u32 = 48;

/// How a topic is set up. It has its own random numbers, so that schedules without partitions stay the same.
pub struct Topic {
    random: Random,
    partitions: &'static [i64],
    order: Order,
    /// Whether Resource Manager says that there are partitions.
    says_so: bool,
}

/// Which messages a page has.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Those of any one partition.
    AnyBroker,
    /// Those of the first partition that has some.
    FirstPartition,
    /// Those of all partitions, in turns.
    Interleaved,
    /// Those of all partitions, in any order.
    Unsorted,
}

impl Topic {
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0007_0091_C000);
        let layouts: [&[i64]; 5] = [&[0], &[0], &[0, 1, 2, 3], &[3, 38], &[0, 7, 38, 1000]];
        let partitions = random.pick(&layouts);
        let orders = [Order::AnyBroker, Order::FirstPartition, Order::Interleaved, Order::Unsorted];
        let (order, says_so) = (random.pick(&orders), random.chance(500));
        Self { random, partitions, order, says_so: says_so && partitions.len() > 1 }
    }

    pub fn describe(&self) -> String {
        format!("partitions {:?}, {:?}, listed as partitioned: {}", self.partitions, self.order, self.says_so)
    }

    /// The partition of a new message.
    pub fn partition(&mut self) -> i64 {
        self.random.pick(self.partitions)
    }

    /// The sequence number of a partition's message.
    pub fn sequence_number(partition: i64, number: i64) -> i64 {
        (partition << ID_SHIFT) | number
    }

    pub fn is_partitioned(&self) -> bool {
        self.partitions.len() > 1
    }

    /// Whether a broker of another partition may answer a peek at a message's own number.
    pub fn is_ambiguous(&self, number: i64) -> bool {
        self.is_partitioned() && number == 1
    }

    /// Whether a subscription is disabled, or enabled again, now.
    pub fn toggles(&mut self) -> bool {
        self.random.chance(5)
    }

    /// The service's count of this many messages.
    fn count(&mut self, messages: usize, exact: bool) -> u64 {
        let messages = messages as u64;
        if exact || self.random.chance(800) { messages } else { self.random.next() % (messages * 2 + 2) }
    }

    /// Puts ascending numbers into the order of a page.
    fn page(&mut self, mut numbers: Vec<i64>, from: i64) -> Vec<i64> {
        if !self.is_partitioned() {
            return numbers;
        }
        let partition = |number: &i64| number >> ID_SHIFT;
        match self.order {
            Order::AnyBroker => {
                // A partition without messages may be the first one too; then the page is empty.
                let with_messages: Vec<_> = numbers.iter().map(partition).collect();
                let any = self.says_so || with_messages.is_empty();
                let broker = if any { self.partition() } else { self.random.pick(&with_messages) };
                numbers.retain(|number| partition(number) == broker || *number == from);
            }
            Order::FirstPartition => {
                let first = numbers.first().map(partition);
                numbers.retain(|number| Some(partition(number)) == first);
            }
            Order::Interleaved => {
                let mut turns = BTreeMap::<_, usize>::new();
                numbers.sort_by_cached_key(|number| {
                    let turn = turns.entry(partition(number)).or_default();
                    *turn += 1;
                    (*turn, *number)
                });
            }
            Order::Unsorted => numbers.sort_by_cached_key(|_| self.random.next()),
        }
        // A peek at a message's own number finds it.
        if let Some(exact) = numbers.iter().position(|number| *number == from) {
            numbers[..=exact].rotate_right(1);
        }
        numbers
    }
}

impl Subscriptions for Azure {
    async fn list(&self) -> Result<ListedTopic, ArmError> {
        self.read().await?;
        let mut world = self.world();
        let world = &mut *world;
        let mut listed = ListedTopic { subscriptions: Vec::new(), is_partitioned: world.topic.says_so };
        for (name, subscription) in &world.subscriptions {
            let active = world.topic.count(subscription.messages.len(), !world.faulty);
            listed.subscriptions.push(ListedSubscription {
                unserved: subscription.disabled.then_some(Unserved::Disabled),
                counts: Some(MessageCounts { active, dead_letters: 0 }),
                ..ListedSubscription::new(*name)
            });
        }
        let unserved = listed.subscriptions.iter().filter(|listed| listed.unserved.is_some());
        *self.process.unserved.lock() = unserved.map(|listed| listed.name.clone()).collect();
        Ok(listed)
    }
}

impl Messages for Azure {
    type Peeker = Self;

    async fn connect(&self) -> Result<Self, PeekError> {
        self.read().await.map_err(|_| dropped())?;
        Ok(self.clone())
    }
}

impl Peeker for Azure {
    async fn peek(
        &self,
        subscription: &SubscriptionName,
        from: i64,
        count: u32,
    ) -> Result<Vec<PeekedMessage>, PeekError> {
        if self.process.unserved.lock().contains(subscription) {
            self.world().violated(format!("{subscription} is peeked although it is listed as disabled"));
        }
        self.read().await.map_err(|_| dropped())?;
        let mut world = self.world();
        let most = if world.goes_wrong(1000) { world.random.within(1..4) } else { i64::from(count) };
        let world = &mut *world;
        let Some(subscription) = world.subscriptions.get(subscription.as_str()) else { return Ok(Vec::new()) };
        if subscription.disabled {
            return Err(PeekError::Misconfigured { reason: "it is disabled".into() });
        }
        let rest = subscription.messages.range(from..).map(|(number, _)| *number).collect();
        let page = world.topic.page(rest, from).into_iter().take(usize::try_from(most.min(count.into())).unwrap_or(1));
        Ok(page.map(|number| peeked(number, &subscription.messages[&number])).collect())
    }

    async fn close(self) {}
}

fn peeked(number: i64, message: &Message) -> PeekedMessage {
    PeekedMessage {
        sequence_number: number,
        message_id: MessageId::new(message.id.clone()),
        file_size_mb: match message {
            Message { valid: false, .. } => Err(InvalidMessage::NoFileSize),
            Message { large: true, .. } => FileSizeMb::from_text("1024"),
            Message { large: false, .. } => FileSizeMb::from_text("128"),
        },
        state: if message.deferred { MessageState::Deferred } else { MessageState::Active },
        enqueued_at: Some(World::moment(message.came_at)),
        expires_at: message.expires_at.map(World::moment),
    }
}

fn dropped() -> PeekError {
    PeekError::Unavailable { reason: "the connection was dropped".into() }
}
