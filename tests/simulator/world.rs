//! The simulated world: a region's container groups, a topic's subscriptions, workers and time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use aci_scaler::container_group::GroupName;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::Instant;

use crate::azure::Write;
use crate::groups::{Exit, Group, Life};
use crate::memory::MemoryNeeds;
use crate::operator::Operator;
use crate::outside::{Outside, Vanished};
use crate::promises::MAX_SKEW;
use crate::random::Random;
use crate::scene::{Millis, SECOND, Scene};
use crate::topic::Topic;

/// When the simulated world begins.
const BEGINNING: OffsetDateTime = datetime!(2026-01-05 10:00:00 UTC);

/// Everything in the simulated world.
pub struct World {
    pub random: Random,
    pub scene: Scene,
    pub topic: Topic,
    pub outside: Outside,
    pub memory: MemoryNeeds,
    pub operator: Operator,
    pub groups: BTreeMap<GroupName, Group>,
    /// Deleted groups that a lagging list still shows, and when they were deleted.
    pub deleted: VecDeque<(Millis, Group)>,
    pub subscriptions: BTreeMap<&'static str, Subscription>,
    /// Whether faults happen.
    pub faulty: bool,
    /// Requests under way, with the times at which they are carried out.
    pub writes: Vec<(Millis, Write)>,
    /// When creates and deletes were accepted.
    pub taken: VecDeque<Millis>,
    /// How the last attempt at each message ended: which it was, when, and whether its record could be lost.
    pub ended: HashMap<(String, i64), (u32, Millis, bool)>,
    /// The newest groups of messages whose groups somebody else deleted.
    pub vanished: HashMap<(String, i64), Vanished>,
    /// All groups that somebody else deleted.
    pub cleaned_up: BTreeSet<GroupName>,
    /// The names of all groups that were ever created.
    pub names: BTreeSet<GroupName>,
    /// When messages left their subscription.
    pub gone: HashMap<(String, i64), Millis>,
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// The kinds of faults that occurred.
    pub fired: BTreeSet<&'static str>,
    /// What happened, if it is to be printed.
    pub story: Option<Vec<String>>,
    /// Until then nothing happens by itself.
    quiet_until: Millis,
    start: Instant,
}

/// A subscription.
#[derive(Default)]
pub struct Subscription {
    pub messages: BTreeMap<i64, Message>,
    /// The last number of each partition.
    pub last_numbers: BTreeMap<i64, i64>,
    /// Whether every worker dies here.
    pub broken: bool,
    /// Whether receivers get no messages from it.
    pub disabled: bool,
}

/// A message.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not of any message")]
pub struct Message {
    pub id: String,
    pub valid: bool,
    pub poison: bool,
    pub deferred: bool,
    pub locked: bool,
    /// Whether its file is a large one.
    pub large: bool,
    /// The memory that its worker needs, in tenths of a GB.
    pub needs: i64,
    pub came_at: Millis,
    pub expires_at: Option<Millis>,
}

impl Message {
    /// When an expired message is gone: Service Bus removes them late.
    fn removed_at(&self) -> Option<Millis> {
        Some(self.expires_at? + 30 * SECOND)
    }
}

impl World {
    pub fn new(seed: u64, told: bool) -> Self {
        let mut random = Random::new(seed);
        let mut scene = Scene::draw(&mut random);
        let memory = MemoryNeeds::draw(seed, &mut scene);
        let (topic, outside) = (Topic::draw(seed), Outside::draw(seed, &scene));
        let subscriptions = scene.subscriptions.iter().map(|name| (*name, Subscription::default())).collect();
        Self {
            random,
            scene,
            topic,
            outside,
            memory,
            operator: Operator::draw(seed),
            groups: BTreeMap::new(),
            deleted: VecDeque::new(),
            subscriptions,
            faulty: true,
            writes: Vec::new(),
            taken: VecDeque::new(),
            ended: HashMap::new(),
            vanished: HashMap::new(),
            cleaned_up: BTreeSet::new(),
            names: BTreeSet::new(),
            gone: HashMap::new(),
            violations: Vec::new(),
            fired: BTreeSet::new(),
            story: told.then(Vec::new),
            quiet_until: 0,
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> Millis {
        Millis::try_from(self.start.elapsed().as_millis()).expect("schedules are short")
    }

    /// The time on a clock with this error.
    pub fn moment(now: Millis) -> OffsetDateTime {
        BEGINNING + time::Duration::milliseconds(now)
    }

    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(story) = &mut self.story {
            story.push(format!("{:>8}.{:03} {}", now / SECOND, now % SECOND, line()));
        }
    }

    /// Notes that a kind of fault occurred.
    pub fn fires(&mut self, kind: &'static str) {
        self.fired.insert(kind);
    }

    pub fn violated(&mut self, promise: String) {
        self.tell(|| format!("VIOLATED: {promise}"));
        self.violations.push(promise);
    }

    /// Whether a fault with this share of the schedule's faults happens now.
    pub fn goes_wrong(&mut self, share_per_mille: i64) -> bool {
        self.faulty && self.random.chance(self.scene.faults * share_per_mille / 1000)
    }

    /// Notes that something is to happen at a time.
    pub fn happens_at(&mut self, at: Millis) {
        self.quiet_until = self.quiet_until.min(at);
    }

    /// Lets everything that is due happen, in order.
    pub fn settle(&mut self) {
        let now = self.now();
        if now < self.quiet_until {
            return;
        }
        while self.next_event().is_some_and(|at| at <= now) {
            let write =
                self.writes.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(index, (at, _))| (*at, index));
            let group = self.groups.values().map(|group| (group.changes_at(), &group.name)).min();
            match (write, group) {
                (Some((at, index)), group) if at <= now && group.is_none_or(|(other, _)| at <= other) => {
                    let (_, write) = self.writes.swap_remove(index);
                    self.carry_out(&write, at);
                }
                (_, Some((at, name))) if at <= now => {
                    let name = name.clone();
                    self.change(&name, at);
                }
                _ => break,
            }
        }
        let mut next = self.next_event().unwrap_or(Millis::MAX);
        for (name, subscription) in &mut self.subscriptions {
            subscription.messages.retain(|number, message| {
                let Some(at) = message.removed_at() else { return true };
                let stays = now < at;
                if stays {
                    next = next.min(at);
                } else {
                    self.gone.insert(((*name).to_owned(), *number), now);
                }
                stays
            });
        }
        self.quiet_until = next;
    }

    /// When something happens next.
    fn next_event(&self) -> Option<Millis> {
        let writes = self.writes.iter().map(|(at, _)| *at);
        writes.chain(self.groups.values().map(Group::changes_at)).min()
    }

    /// A group changes by itself.
    fn change(&mut self, name: &GroupName, at: Millis) {
        let Some(group) = self.groups.get(name).cloned() else { return };
        let life = match group.life {
            Life::Pending { fails: true, .. } => Life::Failed { at },
            Life::Pending { fails: false, .. } => self.start_worker(&group, at),
            Life::Running { since, message, exit, .. } => self.end_worker(&group, since, message, exit, at),
            ended => ended,
        };
        self.tell(|| format!("  {name}: {life:?}"));
        if let Some(group) = self.groups.get_mut(name) {
            group.life = life;
        }
        if matches!(life, Life::Exited { .. } | Life::Failed { .. }) {
            self.ended.insert((group.subscription().to_owned(), group.number()), (group.attempt(), at, false));
        }
    }

    /// A worker takes whichever message comes first, and may hang.
    fn start_worker(&mut self, group: &Group, at: Millis) -> Life {
        let hangs = self.faulty && self.random.chance(self.scene.bad_luck / 2);
        let length = self.random.within(SECOND..(self.scene.job + 2) * SECOND);
        let abandons = self.faulty && self.random.chance(20);
        let Some(subscription) = self.subscriptions.get_mut(group.subscription()) else {
            return Life::Exited { since: at, at, code: 1 };
        };
        if subscription.broken {
            return Life::Running { since: at, until: at + length.min(3 * SECOND), message: None, exit: Exit::Dies };
        }
        let free = |message: &Message| {
            !message.locked && !message.deferred && message.expires_at.is_none_or(|expires_at| expires_at > at)
        };
        let mut messages = subscription.messages.iter_mut().filter(|_| !subscription.disabled);
        let Some((number, message)) = messages.find(|(_, message)| free(message)) else {
            return Life::Running { since: at, until: at + 30 * SECOND, message: None, exit: Exit::Settles };
        };
        message.locked = true;
        let exit = if message.poison {
            Exit::Dies
        } else if message.needs > group.memory {
            Exit::RunsOut
        } else if abandons {
            Exit::Abandons
        } else {
            Exit::Settles
        };
        let until = if hangs { Millis::MAX } else { at + length };
        Life::Running { since: at, until, message: Some(*number), exit }
    }

    fn end_worker(&mut self, group: &Group, since: Millis, message: Option<i64>, exit: Exit, at: Millis) -> Life {
        let name = group.subscription().to_owned();
        if let (Some(number), Some(subscription)) = (message, self.subscriptions.get_mut(name.as_str())) {
            if exit == Exit::Settles {
                let settled = subscription.messages.remove(&number);
                self.gone.entry((name, number)).or_insert(at);
                if let Some(Message { needs, large, .. }) = settled {
                    self.note_settled(needs, large);
                }
            } else if let Some(message) = subscription.messages.get_mut(&number) {
                message.locked = false;
            }
        }
        self.note_memory(group, message, exit, at);
        Life::Exited { since, at, code: exit.code() }
    }

    /// A message, if it is there.
    pub fn message(&self, subscription: &str, number: i64) -> Option<&Message> {
        self.subscriptions.get(subscription)?.messages.get(&number)
    }

    /// The message that a group was created for, if it is there and a worker can receive it.
    pub fn waiting(&self, subscription: &str, number: i64) -> Option<&Message> {
        let message = self.message(subscription, number)?;
        let expired = message.expires_at.is_some_and(|at| at <= self.now() + MAX_SKEW);
        (message.valid && !message.deferred && !expired).then_some(message)
    }

    /// Lets a deleted group's worker drop its message.
    pub fn unlock(&mut self, group: &Group) {
        if let Life::Running { message: Some(number), .. } = group.life
            && let Some(subscription) = self.subscriptions.get_mut(group.subscription())
            && let Some(message) = subscription.messages.get_mut(&number)
        {
            message.locked = false;
        }
    }

    pub fn send(&mut self, subscription: &'static str) {
        let id = format!("m{}", self.random.within(0..12));
        let (valid, poison) = (!self.random.chance(50), self.random.chance(self.scene.poison));
        let expires_at = self.random.chance(100).then(|| self.now() + self.random.within(SECOND..900 * SECOND));
        let (deferred, large) = (self.random.chance(20), self.random.chance(self.scene.large));
        self.tell(|| {
            format!(
                "sent {id} to {subscription}, valid {valid}, poison {poison}, large {large}, expires {expires_at:?}"
            )
        });
        let came_at = self.now();
        let partition = self.topic.partition();
        let Some(to) = self.subscriptions.get_mut(subscription) else { return };
        let last = to.last_numbers.entry(partition).or_default();
        *last += 1;
        let needs = self.memory.need_of(large);
        let message = Message { id, valid, poison, deferred, locked: false, large, needs, came_at, expires_at };
        let removed_at = message.removed_at();
        to.messages.insert(Topic::sequence_number(partition, *last), message);
        self.happens_at(removed_at.unwrap_or(Millis::MAX));
    }

    /// Stops all faults.
    pub fn calm_down(&mut self) {
        self.faulty = false;
        self.quiet_until = 0;
        self.scene.quota = None;
        self.scene.no_room = false;
        self.scene.bad_creates = 0;
        self.scene.odd_states = 0;
        self.scene.budget = self.scene.budget.map(|budget| budget.max(40));
        self.scene.job = self.scene.job.min(30);
        let now = self.now();
        for subscription in self.subscriptions.values_mut() {
            (subscription.broken, subscription.disabled) = (false, false);
            for message in subscription.messages.values_mut() {
                message.poison = false;
                message.needs = MemoryNeeds::need_when_calm(message.needs, message.large, &self.scene);
            }
        }
        for group in self.groups.values_mut() {
            match &mut group.life {
                Life::Running { until, exit: Exit::RunsOut, .. } => *until = (*until).min(now + 60 * SECOND),
                Life::Running { until, exit, .. } => (*until, *exit) = ((*until).min(now + 60 * SECOND), Exit::Settles),
                Life::Pending { until, fails } => (*until, *fails) = ((*until).min(now + 60 * SECOND), false),
                Life::Exited { .. } | Life::Failed { .. } => {}
            }
        }
    }
}
