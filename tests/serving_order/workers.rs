//! Container groups, and what their workers do.

use std::collections::BTreeMap;

use aci_scaler::container_group::{Container, ContainerGroup, ContainerState, GroupName, GroupSpec};
use aci_scaler::plan::ObservedGroup;

use crate::rules::Rule;
use crate::world::{Event, Seconds, World, moment};

/// How long a message stays locked whose worker has died: a subscription's default.
const LOCK: Seconds = 60;

/// How long the lock of a worker that hangs is renewed: the official clients' default.
const RENEWAL: Seconds = 300;

/// How long a worker waits for a message before it gives up.
const PATIENCE: Seconds = 60;

/// How long a worker takes to exit once it is done.
const LINGER: Seconds = 3;

/// How long a worker lives that has too little memory for its message.
const OUT_OF_MEMORY: Seconds = 10;

/// A container group.
pub struct Group {
    pub spec: GroupSpec,
    pub created_at: Seconds,
    started_at: Option<Seconds>,
    ended: Option<(Seconds, i64)>,
    idle: bool,
    message: Option<i64>,
}

/// What becomes of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Settles,
    SettlesAndHangs,
    Hangs,
    Dies,
    Exits,
}

impl Group {
    pub fn new(spec: GroupSpec, created_at: Seconds) -> Self {
        Self { spec, created_at, started_at: None, ended: None, idle: false, message: None }
    }

    /// Until when it has been paid for.
    pub fn ended_at(&self) -> Option<Seconds> {
        self.ended.map(|(at, _)| at)
    }

    /// As a GET shows it.
    pub fn seen(&self, rule: Rule) -> ObservedGroup {
        let state = match (self.started_at, self.ended) {
            (None, _) => "Waiting",
            (Some(_), None) => "Running",
            (Some(_), Some(_)) => "Terminated",
        };
        let state = ContainerState {
            state: state.to_owned(),
            exit_code: self.ended.map(|(_, code)| code),
            started_at: self.started_at.map(moment),
            finished_at: self.ended_at().map(moment),
            detail_status: None,
        };
        let mut tags: BTreeMap<_, _> =
            self.spec.tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        if rule == Rule::AnyMemory {
            tags.insert("file_size_mb".to_owned(), "1e9".to_owned());
        }
        let group = ContainerGroup {
            name: self.spec.name.clone(),
            tags,
            provisioning_state: "Succeeded".to_owned(),
            containers: vec![Container { name: "worker".to_owned(), state: Some(state) }],
        };
        ObservedGroup { group, unread: None }
    }

    /// A number that its tags tell.
    fn number(&self, key: &str) -> i64 {
        self.spec.tags[key].parse().expect("it is a number")
    }
}

impl World<'_> {
    pub fn start(&mut self, name: &GroupName) {
        if let Some(group) = self.groups.get_mut(name) {
            group.started_at = Some(self.now);
            self.take(name);
        }
    }

    /// A worker that waits, if there is one, takes what has just become free.
    pub fn wake(&mut self) {
        let idle = self.groups.iter().find(|(_, group)| group.idle).map(|(name, _)| name.clone());
        if let Some(name) = idle {
            self.take(&name);
        }
    }

    /// A worker takes the oldest message that is free, or waits for one.
    fn take(&mut self, name: &GroupName) {
        let free = self.messages.iter_mut().find(|(_, message)| !message.locked);
        let group = self.groups.get_mut(name).expect("it is there");
        let Some((number, message)) = free else {
            group.idle = true;
            self.schedule(self.now + PATIENCE, Event::GivesUp(name.clone()));
            return;
        };
        (message.locked, message.deliveries) = (true, message.deliveries + 1);
        (group.idle, group.message) = (false, Some(*number));
        let (number, delivery) = (*number, message.deliveries.into());
        let is_enough = group.spec.memory >= message.memory;
        let made_for = (group.number("sequence_number"), group.number("attempt"));

        let job = self.luck("job", number, 0).within(self.mix.job.clone());
        let (after, end) = if !is_enough {
            self.tally.out_of_memory += 1;
            (OUT_OF_MEMORY, End::Dies)
        } else if let Some(hang) = self.hang(made_for) {
            (job, hang)
        } else if self.luck("crash", number, delivery).chance(self.mix.crashes) {
            (job / 2, End::Dies)
        } else {
            (job, End::Settles)
        };
        if matches!(end, End::Settles | End::SettlesAndHangs) {
            self.tally.waits.insert((0, number), self.now - self.messages[&number].came_at);
        }
        self.schedule(self.now + after, Event::Ends(name.clone(), end));
    }

    /// How the worker of a group hangs, if it does.
    fn hang(&self, (number, attempt): (i64, i64)) -> Option<End> {
        let mut luck = self.luck("hang", number, attempt);
        luck.chance(self.mix.hangs).then(|| luck.pick(&[End::Hangs, End::SettlesAndHangs]))
    }

    pub fn give_up(&mut self, name: &GroupName) {
        if let Some(group) = self.groups.get_mut(name).filter(|group| group.idle) {
            group.idle = false;
            group.ended = Some((self.now, self.mix.idle_exit));
        }
    }

    pub fn end(&mut self, name: &GroupName, end: End) {
        let Some(group) = self.groups.get_mut(name).filter(|group| group.ended.is_none()) else { return };
        let number = group.message.take().unwrap_or_default();
        match end {
            End::Settles | End::SettlesAndHangs => drop(self.messages.remove(&number)),
            End::Hangs => self.schedule(self.now + RENEWAL, Event::Unlocks(number)),
            End::Dies => {
                group.ended = Some((self.now, 1));
                self.schedule(self.now + LOCK, Event::Unlocks(number));
            }
            End::Exits => group.ended = Some((self.now, 0)),
        }
        if end == End::Settles && self.mix.loops {
            self.take(name);
        } else if end == End::Settles {
            self.schedule(self.now + LINGER, Event::Ends(name.clone(), End::Exits));
        }
    }

    /// A group is deleted, whatever its worker does.
    pub fn remove(&mut self, name: &GroupName) {
        let Some(group) = self.groups.remove(name) else { return };
        self.tally.container_seconds += group.ended_at().unwrap_or(self.now) - group.created_at;
        if let Some(number) = group.message {
            self.schedule(self.now + LOCK, Event::Unlocks(number));
        }
    }
}
