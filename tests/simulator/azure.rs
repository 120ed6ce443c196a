//! The simulated services, as one process of the scaler sees them: slow, faulty, and not always up to date.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use aci_scaler::container_group::{ContainerGroup, GroupName, GroupSpec, MemoryGb};
use aci_scaler::message::SubscriptionName;
use aci_scaler::services::{Accepted, ArmError, ContainerGroups, ListedGroups, Refusal};
use aci_scaler::settings::Settings;
use aci_scaler::sync::Mutex;

use crate::outside::MAX_CLOCK_ERROR;
use crate::scene::{Millis, SECOND};
use crate::world::World;

/// A process of the scaler, as the world knows it.
pub struct Process {
    /// One of its kind: a process that is started again is another one.
    pub number: u32,
    pub settings: Settings,
    pub pass: AtomicU64,
    pub pass_started_at: AtomicI64,
    /// The pass in which it was told to create no more.
    pub stopped_in: AtomicU64,
    /// The pass in which it was told that there is no room for groups of so much memory, and of more.
    pub no_room: Mutex<Option<(u64, MemoryGb)>>,
    /// The pass in which it was told to delete no more.
    pub deletes_stopped_in: AtomicU64,
    /// Until when it has to leave the rest of the budget for deletes.
    pub low_until: AtomicI64,
    /// What its clock is wrong by.
    pub clock_error: AtomicI64,
    /// The same when it last listed the groups.
    pub clock_error_listed: AtomicI64,
    /// When it last looked at each group.
    pub looks: Mutex<BTreeMap<GroupName, Millis>>,
    /// When the groups were created that it found at those looks.
    pub found: Mutex<BTreeMap<GroupName, Millis>>,
    /// Groups that it has left alone in a pass, with the moments when they were created.
    pub known: Mutex<HashSet<(GroupName, Millis)>>,
    /// The subscriptions that cannot be served, by the last list.
    pub unserved: Mutex<HashSet<SubscriptionName>>,
}

/// The services, for one process.
#[derive(Clone)]
pub struct Azure {
    pub world: Arc<Mutex<World>>,
    pub process: Arc<Process>,
}

/// A request that changes something, on its way.
pub struct Write {
    pub what: What,
    pub process: Arc<Process>,
    pub sent_at: Millis,
    pub answer: Arc<Mutex<Option<Result<Accepted, ArmError>>>>,
}

pub enum What {
    Put(Box<GroupSpec>),
    Delete(GroupName),
    Tag(GroupName, BTreeMap<String, String>),
}

impl Azure {
    pub fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock();
        world.settle();
        world
    }

    fn check_deleting(&self, name: &GroupName) {
        if self.process.deletes_stopped_in.load(Relaxed) == self.process.pass.load(Relaxed) {
            self.world().violated(format!("{name} is to be deleted although Azure wants a break"));
        }
    }

    /// Notes what an answer says of the budget.
    fn heed(&self, answer: Result<Accepted, ArmError>) -> Result<Accepted, ArmError> {
        let remaining = match &answer {
            Ok(accepted) => accepted.remaining,
            Err(error) => error.remaining(),
        };
        let spare = self.process.settings.processing.max_workers.get() + 4;
        if remaining.is_some_and(|left| left as usize <= spare) {
            let now = self.world().now();
            self.process.low_until.store(now + 300 * SECOND, Relaxed);
        }
        answer
    }

    async fn pause(&self, milliseconds: Millis) {
        tokio::time::sleep(Duration::from_millis(milliseconds.unsigned_abs())).await;
    }

    /// Waits as one does for an answer, and says what may have gone wrong.
    pub async fn read(&self) -> Result<(), ArmError> {
        let (pause, fault) = {
            let mut world = self.world();
            let slow = world.goes_wrong(300);
            let pause = if slow { world.random.within(SECOND..20 * SECOND) } else { world.random.within(20..300) };
            (pause, world.goes_wrong(700))
        };
        self.pause(pause).await;
        if fault { Err(unavailable()) } else { Ok(()) }
    }

    /// Sends a request that is carried out sooner or later, whether or not anybody waits for its answer.
    async fn write(&self, what: What) -> Result<Accepted, ArmError> {
        let answer = Arc::new(Mutex::new(None));
        let refusal = self.world().refusal();
        if let Some(error) = refusal {
            self.pause(200).await;
            return Err(error);
        }
        let (until_done, then, lost) = {
            let mut world = self.world();
            let late = if world.goes_wrong(1000) { world.scene.late } else { 300 };
            let until_done = world.random.within(20..late.max(21));
            let (lost, then) = (world.goes_wrong(500), world.random.within(0..500));
            let write = Write { what, process: self.process.clone(), sent_at: world.now(), answer: answer.clone() };
            let at = world.now() + until_done;
            world.writes.push((at, write));
            world.happens_at(at);
            (until_done, then, lost)
        };
        self.pause(until_done + if lost { 30 * SECOND } else { then }).await;
        drop(self.world());
        let answer = answer.lock().take();
        if lost { Err(unavailable()) } else { answer.unwrap_or_else(|| Err(unavailable())) }
    }
}

impl ContainerGroups for Azure {
    async fn list(&self) -> Result<ListedGroups, ArmError> {
        self.read().await?;
        let mut world = self.world();
        let clock_error = self.process.clock_error.load(Relaxed);
        self.process.clock_error_listed.store(clock_error, Relaxed);
        if clock_error.abs() > MAX_CLOCK_ERROR {
            world.fires("clock wrong by minutes");
        }
        let lag = if world.faulty { world.scene.lag } else { 0 };
        let as_of = world.now() - world.random.within(0..lag + 1);
        let there = world.groups.values().filter(|group| group.created_at <= as_of);
        let still = world.deleted.iter().filter(|(at, group)| *at > as_of && group.created_at <= as_of);
        let seen = there.chain(still.map(|(_, group)| group)).filter(|group| group.is_managed());
        let mut list: Vec<_> = seen.map(|group| group.seen(true, None, World::moment)).collect();
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list.dedup_by(|one, other| one.name == other.name);
        if world.scene.lists_twice && !list.is_empty() {
            world.fires("groups listed twice");
            list.extend(list.clone());
        }
        // An HTTP date has whole seconds.
        let time = Some(World::moment(world.now() / SECOND * SECOND));
        Ok(ListedGroups { groups: list, time })
    }

    async fn get(&self, name: &GroupName) -> Result<Option<ContainerGroup>, ArmError> {
        self.read().await?;
        let mut world = self.world();
        self.process.looks.lock().insert(name.clone(), world.now());
        if let Some(group) = world.groups.get(name) {
            self.process.found.lock().insert(name.clone(), group.created_at);
        }
        let odd_states = world.scene.odd_states;
        let odd_state = if world.random.chance(odd_states) {
            world.fires("odd provisioning state");
            Some(world.random.pick(&["Repairing", "Unhealthy", "Updating", "Stopping"]))
        } else {
            None
        };
        Ok(world.groups.get(name).map(|group| group.seen(false, odd_state, World::moment)))
    }

    async fn create(&self, spec: &GroupSpec) -> Result<Accepted, ArmError> {
        {
            let mut world = self.world();
            let pass = self.process.pass.load(Relaxed);
            let no_room = self.process.no_room.lock().is_some_and(|(of, memory)| of == pass && spec.memory >= memory);
            if no_room
                || self.process.stopped_in.load(Relaxed) == pass
                || self.process.low_until.load(Relaxed) > world.now()
            {
                world.violated(format!("{} is asked for although Azure wants a break", spec.name));
            }
        }
        let answer = self.write(What::Put(Box::new(spec.clone()))).await;
        if let Err(ArmError::Throttled { .. } | ArmError::NoCapacity { .. }) = &answer {
            self.process.stopped_in.store(self.process.pass.load(Relaxed), Relaxed);
        }
        if let Err(ArmError::NoRoomForSize { .. }) = &answer {
            let pass = self.process.pass.load(Relaxed);
            let mut no_room = self.process.no_room.lock();
            let least =
                no_room.filter(|(of, _)| *of == pass).map_or(spec.memory, |(_, memory)| memory.min(spec.memory));
            *no_room = Some((pass, least));
        }
        self.heed(answer)
    }

    async fn delete(&self, name: &GroupName) -> Result<Accepted, ArmError> {
        self.check_deleting(name);
        let answer = self.write(What::Delete(name.clone())).await;
        if let Err(ArmError::Throttled { .. }) = &answer {
            self.process.deletes_stopped_in.store(self.process.pass.load(Relaxed), Relaxed);
        }
        self.heed(answer)
    }

    async fn tag(&self, name: &GroupName, tags: &BTreeMap<String, String>) -> Result<(), ArmError> {
        self.write(What::Tag(name.clone(), tags.clone())).await.map(drop)
    }

    async fn logs(&self, name: &GroupName, _container: &str, _tail: u32) -> Result<String, ArmError> {
        self.check_deleting(name);
        let read = self.read().await;
        let mut world = self.world();
        let Some(group) = world.groups.get_mut(name) else {
            return Err(ArmError::NotFound(Refusal::new("ResourceNotFound", "")));
        };
        match read {
            Ok(()) => group.log_read = true,
            Err(_) => group.log_failures += 1,
        }
        read.map(|()| "done\n".to_owned())
    }
}

/// Whether a group is a large one, for its file or for having run out of memory.
pub fn is_large(spec: &GroupSpec) -> bool {
    spec.memory.to_f64() > 1.0
}

/// Another operation on a group is under way.
pub fn transitioning() -> ArmError {
    ArmError::Busy(Refusal::new("ContainerGroupTransitioning", ""))
}

fn unavailable() -> ArmError {
    ArmError::Unavailable { reason: "the connection was reset".into() }
}

impl World {
    /// Why Azure does not even take a request that changes something, if it does not.
    fn refusal(&mut self) -> Option<ArmError> {
        let inaccessible = || ArmError::Rejected(Refusal::new("InaccessibleImage", ""));
        let refusals: [fn() -> ArmError; 3] = [unavailable, transitioning, inaccessible];
        self.goes_wrong(500).then(|| self.random.pick(&refusals)())
    }
}
