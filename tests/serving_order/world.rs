//! A subscription, and the real planner making a pass a minute over it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use aci_scaler::container_group::{GroupName, MemoryGb};
use aci_scaler::message::{FileSizeMb, MessageId, MessageState, PeekedMessage};
use aci_scaler::plan::{Memory, ObservedSubscription, Plan, Policy, Read, Skip, Snapshot, plan};
use rust_decimal::Decimal;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::mixes::Mix;
use crate::random::Random;
use crate::rules::Rule;
use crate::tally::Tally;
use crate::workers::{End, Group};

/// Seconds of simulated time.
pub type Seconds = i64;

/// The time between two passes.
pub const PASS: Seconds = 60;

/// `PROVISIONING_RETRY_BACKOFF_SECONDS`, by default.
pub const BACKOFF: Seconds = 60;

/// How long a group takes to run its worker.
const START: std::ops::Range<Seconds> = 20..120;

/// Deliveries after which a message is dead-lettered: a subscription's default.
const MAX_DELIVERIES: u32 = 10;

/// When the run is given up.
const HORIZON: Seconds = 24 * 3600;

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Arrives(i64),
    Unlocks(i64),
    Starts(GroupName),
    GivesUp(GroupName),
    Ends(GroupName, End),
    Pass,
}

/// A message.
pub struct Message {
    size_mb: i64,
    /// What a worker needs.
    pub memory: MemoryGb,
    pub came_at: Seconds,
    pub locked: bool,
    pub deliveries: u32,
    /// Groups that it got.
    groups: u32,
    /// Since when it waits for a spare.
    put_off_since: Option<Seconds>,
}

/// All there is.
pub struct World<'a> {
    pub mix: &'a Mix,
    pub now: Seconds,
    pub messages: BTreeMap<i64, Message>,
    pub groups: BTreeMap<GroupName, Group>,
    pub tally: Tally,
    rule: Rule,
    seed: u64,
    policy: Policy,
    memory: Memory,
    to_come: usize,
    /// What is to happen, in order.
    events: BinaryHeap<Reverse<(Seconds, u64, Event)>>,
    scheduled: u64,
}

/// Runs a mix under a rule until every message has gone.
pub fn run(mix: &Mix, rule: Rule, seed: u64) -> Tally {
    let arrivals = mix.arrivals(&mut Random::new(seed));
    let mut world = World {
        mix,
        now: 0,
        messages: BTreeMap::new(),
        groups: BTreeMap::new(),
        tally: Tally { messages: arrivals.len(), ..Tally::default() },
        rule,
        seed,
        policy: rule.policy(mix),
        memory: Memory::default(),
        to_come: arrivals.len(),
        events: BinaryHeap::new(),
        scheduled: 0,
    };
    for (number, at) in (1..).zip(arrivals) {
        world.schedule(at, Event::Arrives(number));
    }
    world.schedule(0, Event::Pass);
    while (world.to_come > 0 || !world.messages.is_empty())
        && let Some(Reverse((at, _, event))) = world.events.pop()
        && at < HORIZON
    {
        world.now = at;
        world.happens(event);
    }
    for name in world.groups.keys().cloned().collect::<Vec<_>>() {
        world.remove(&name);
    }
    world.tally
}

/// The time of day.
pub fn moment(at: Seconds) -> OffsetDateTime {
    datetime!(2026-01-05 10:00:00 UTC) + time::Duration::seconds(at)
}

impl World<'_> {
    pub fn schedule(&mut self, at: Seconds, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((at, self.scheduled, event)));
    }

    /// Random numbers that are the same for the same thing under every rule.
    pub fn luck(&self, of: &str, number: i64, nth: i64) -> Random {
        let bytes = of.bytes().chain(number.to_le_bytes()).chain(nth.to_le_bytes());
        // FNV-1a.
        let basis = 0xCBF2_9CE4_8422_2325 ^ self.seed;
        Random::new(bytes.fold(basis, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)))
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(number) => self.arrive(number),
            Event::Unlocks(number) => self.unlock(number),
            Event::Starts(name) => self.start(&name),
            Event::GivesUp(name) => self.give_up(&name),
            Event::Ends(name, end) => self.end(&name, end),
            Event::Pass => self.pass(),
        }
    }

    fn arrive(&mut self, number: i64) {
        let is_large = self.luck("size", number, 0).chance(self.mix.large);
        // With 8 GB for each GB of file, as is the default.
        let (size_mb, tenths) = if is_large { (10_240, 800) } else { (100, 8) };
        let message = Message {
            size_mb,
            memory: MemoryGb::from_decimal(Decimal::new(tenths, 1)).expect("it is in tenths"),
            came_at: self.now,
            locked: false,
            deliveries: 0,
            groups: 0,
            put_off_since: None,
        };
        self.to_come -= 1;
        self.messages.insert(number, message);
        self.wake();
    }

    fn unlock(&mut self, number: i64) {
        let Some(message) = self.messages.get_mut(&number) else { return };
        message.locked = false;
        if message.deliveries >= MAX_DELIVERIES {
            self.messages.remove(&number);
            self.tally.dead_lettered += 1;
        }
        self.wake();
    }

    fn pass(&mut self) {
        let Plan { creates, skips, deletes, memory, .. } =
            plan(&self.snapshot(), &self.memory, &self.policy, moment(self.now));
        self.memory = memory;
        for create in creates {
            let (name, number) = (create.spec.name.clone(), create.message.sequence_number);
            let message = self.messages.get_mut(&number).expect("it was peeked");
            message.groups += 1;
            let nth = message.groups.into();
            let starts_at = self.now + self.luck("start", number, nth).within(START);
            self.groups.insert(name.clone(), Group::new(create.spec, self.now));
            self.tally.containers += 1;
            self.schedule(starts_at, Event::Starts(name));
        }
        for delete in deletes {
            self.remove(&delete.group.name);
        }
        let waits = skips.iter().filter(|(_, skip)| matches!(skip, Skip::WaitingForSpare { .. }));
        self.check_waits(&waits.map(|(message, _)| message.sequence_number).collect());
        self.schedule(self.now + PASS, Event::Pass);
    }

    /// No message waits for a spare for longer than it had to wait for this attempt in any case, and a new one for no
    /// longer than the first back-off.
    fn check_waits(&mut self, waiting: &BTreeSet<i64>) {
        for (number, message) in &mut self.messages {
            let since = waiting.contains(number).then(|| message.put_off_since.unwrap_or(self.now));
            message.put_off_since = since;
            let backoff = (BACKOFF << message.groups.saturating_sub(1)).min(30 * 60);
            if since.is_some_and(|since| self.now - since >= backoff) {
                self.tally.put_off_too_long += 1;
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let peeked = |(number, message): (&i64, &Message)| PeekedMessage {
            sequence_number: *number,
            message_id: MessageId::new(format!("m{number}")),
            file_size_mb: FileSizeMb::from_decimal(message.size_mb.into()),
            state: MessageState::Active,
            enqueued_at: (self.rule != Rule::LaterAttempts).then(|| moment(message.came_at)),
            expires_at: None,
        };
        let subscription = ObservedSubscription {
            name: "files".to_owned(),
            messages: self.messages.iter().map(peeked).collect(),
            read: Read::ToTheEnd,
            covered_to: i64::MAX,
            absent: BTreeSet::new(),
        };
        Snapshot {
            groups: self.groups.values().map(|group| group.seen(self.rule)).collect(),
            subscriptions: vec![subscription],
            skipped_subscriptions: Vec::new(),
        }
    }
}
