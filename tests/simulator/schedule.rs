//! One schedule: processes make passes, faults happen, then the faults stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use aci_scaler::clock::Clock;
use aci_scaler::deadline::Deadline;
use aci_scaler::pass::report::Report;
use aci_scaler::pass::{Mode, Scaler};
use aci_scaler::plan::{GroupOutcome, MessageOutcome};
use aci_scaler::services::Services;
use aci_scaler::settings::Settings;
use aci_scaler::sync::Mutex;
use tokio::task::JoinHandle;

use crate::azure::{Azure, Process};
use crate::calm::Calm;
use crate::groups::Life;
use crate::memory::Cost;
use crate::promises::MAX_SKEW;
use crate::scene::{Millis, SECOND};
use crate::world::World;

/// The number of steps with faults.
const STEPS: u32 = 200;

/// After this many passes without faults every message must be served: an hour and a half of back-offs and breakers, and time
/// for the work.
const CALM_PASSES: u32 = 400;

/// The same if workers need more memory than their messages' first attempts have: each message fails once and waits, and while
/// a breaker holds its subscription up, so does the next one with its id.
const HUNGRY_CALM_PASSES: u32 = 1600;

/// How long requests may still be under way when the faults stop.
const UNDER_WAY: Millis = 30 * SECOND;

/// A schedule under way.
struct Schedule {
    world: Arc<Mutex<World>>,
    slots: Vec<Slot>,
    processes: u32,
}

/// A place for a process and its pass.
struct Slot {
    azure: Azure,
    scaler: Arc<Scaler<Azure, Azure, Azure>>,
    pass: Option<JoinHandle<Option<Report>>>,
    next_pass_at: Millis,
}

/// The result of a schedule.
pub struct Told {
    /// The kinds of faults that occurred.
    pub kinds: BTreeSet<&'static str>,
    pub cost: Cost,
}

/// Runs the schedule of a seed, and returns its result. A broken promise is the error, with everything that happened if `told`.
pub async fn run(seed: u64, told: bool) -> Result<Told, String> {
    let world = Arc::new(Mutex::new(World::new(seed, told)));
    let mut schedule = Schedule { world: world.clone(), slots: Vec::new(), processes: 0 };
    schedule.begin();
    for _ in 0..STEPS {
        schedule.step().await?;
    }
    schedule.calm_down().await?;
    let mut world = world.lock();
    Ok(Told { kinds: std::mem::take(&mut world.fired), cost: world.memory.cost })
}

impl Schedule {
    fn begin(&mut self) {
        let (count, settings) = {
            let mut world = self.world.lock();
            world.add_foreign_groups();
            let topic = world.topic.describe();
            world.tell(|| topic);
            let memory = world.memory.describe(&world.scene);
            world.tell(|| memory);
            (world.scene.processes, world.scene.settings.clone())
        };
        for _ in 0..count {
            let slot = self.start_process(&settings);
            self.slots.push(slot);
        }
    }

    fn start_process(&mut self, settings: &Settings) -> Slot {
        self.processes += 1;
        let mut world = self.world.lock();
        let skew = world.random.within(-SECOND..SECOND + 1);
        let next_pass_at = world.now() + world.outside.between_passes;
        world.tell(|| format!("process {} starts with a cap of {}", self.processes, settings.aci.max_instances));
        drop(world);
        let process = Arc::new(Process {
            number: self.processes,
            settings: settings.clone(),
            pass: 0.into(),
            pass_started_at: 0.into(),
            stopped_in: u64::MAX.into(),
            no_room: Mutex::default(),
            deletes_stopped_in: u64::MAX.into(),
            low_until: 0.into(),
            clock_error: skew.into(),
            clock_error_listed: 0.into(),
            found: Mutex::default(),
            known: Mutex::default(),
            looks: Mutex::default(),
            unserved: Mutex::default(),
        });
        let azure = Azure { world: self.world.clone(), process };
        let services = Services { groups: azure.clone(), subscriptions: azure.clone(), messages: azure.clone() };
        let clock = Clock::from_fn({
            let Azure { world, process } = azure.clone();
            move || World::moment(world.lock().now() + process.clock_error.load(Relaxed))
        });
        let scaler = Arc::new(Scaler::new(services, settings, clock));
        Slot { azure, scaler, pass: None, next_pass_at }
    }

    async fn step(&mut self) -> Result<(), String> {
        let (pause, crashes, reconfigured) = {
            let mut world = self.slots[0].azure.world();
            world.something_happens();
            world.clean_up();
            world.retry();
            for slot in &self.slots {
                if let Some(error) = world.outside.sets_clock() {
                    slot.azure.process.clock_error.store(error, Relaxed);
                }
            }
            let crashes = world.scene.crashes;
            let killed: Vec<_> = self.slots.iter().map(|_| world.random.chance(crashes)).collect();
            (world.outside.pause(), killed, world.random.chance(10))
        };
        for slot in &mut self.slots {
            slot.begin_pass();
        }
        tokio::time::sleep(Duration::from_millis(pause.unsigned_abs())).await;
        for (index, crash) in crashes.into_iter().enumerate() {
            if crash || reconfigured {
                self.replace(index, reconfigured);
            }
        }
        for slot in &mut self.slots {
            slot.end_pass().await;
        }
        self.check()
    }

    /// Kills a process wherever it is, and starts another one, perhaps with other settings.
    fn replace(&mut self, index: usize, reconfigured: bool) {
        if let Some(pass) = self.slots[index].pass.take() {
            pass.abort();
        }
        let mut settings = self.slots[index].azure.process.settings.clone();
        if reconfigured {
            let mut world = self.slots[index].azure.world();
            settings.aci.max_instances = u32::try_from(world.random.within(1..9)).expect("it is small");
            settings.aci.image = format!("acr.azurecr.io/worker:{}", world.random.within(1..9));
            settings.processing.delete_orphans = world.random.chance(500);
        }
        self.slots[index] = self.start_process(&settings);
    }

    fn check(&self) -> Result<(), String> {
        let mut world = self.slots[0].azure.world();
        let Some(violation) = world.violations.first().cloned() else { return Ok(()) };
        let story = world.story.take().unwrap_or_default();
        Err(format!("{}\n{violation}", story.join("\n")))
    }

    /// Stops the faults. One process makes a pass a minute until every message is served.
    async fn calm_down(&mut self) -> Result<(), String> {
        for slot in self.slots.drain(1..) {
            if let Some(pass) = slot.pass {
                pass.abort();
            }
        }
        self.slots[0].azure.process.clock_error.store(0, Relaxed);
        self.slots[0].azure.world().calm_down();
        // The last pass may just have begun, and the other processes may have requests under way.
        tokio::time::sleep(Duration::from_millis(UNDER_WAY.unsigned_abs())).await;
        let mut calm = Calm::default();
        let is_hungry = self.slots[0].azure.world().is_hungry();
        for _ in 0..if is_hungry { HUNGRY_CALM_PASSES } else { CALM_PASSES } {
            let slot = &mut self.slots[0];
            slot.begin_pass();
            tokio::time::sleep(Duration::from_mins(1)).await;
            let report = slot.end_pass().await;
            let mut world = slot.azure.world();
            if let Some(report) = report
                && calm.is_well(&mut world, &report)
            {
                drop(world);
                return self.check();
            }
            drop(world);
            self.check()?;
        }
        self.slots[0].azure.world().violated("not everything is served at the end".to_owned());
        self.check()
    }
}

impl Slot {
    fn begin_pass(&mut self) {
        let mut world = self.azure.world();
        if self.pass.is_some() || world.now() < self.next_pass_at {
            return;
        }
        self.next_pass_at = world.now() + world.outside.between_passes;
        self.azure.process.pass.fetch_add(1, Relaxed);
        self.azure.process.pass_started_at.store(world.now(), Relaxed);
        world.tell(|| format!("process {} begins a pass", self.azure.process.number));
        drop(world);
        let (scaler, azure) = (self.scaler.clone(), self.azure.clone());
        self.pass = Some(tokio::spawn(async move {
            let deadline = Deadline::after(scaler.pass_deadline());
            let report = scaler.pass(Mode::Apply, &deadline).await.ok()?;
            let mut world = azure.world();
            world.tell(|| format!("process {}: {}", azure.process.number, report.sums()));
            for subscription in &report.subscriptions {
                world.tell(|| format!("  {subscription:?}"));
            }
            for group in &report.groups {
                world.tell(|| format!("  {}: {:?}", group.name, group.outcome));
            }
            azure.process.leaves_alone(&report);
            check_report(&mut world, &report);
            check_waits(&mut world, &report);
            drop(world);
            Some(report)
        }));
    }

    /// The report of the pass, if it has succeeded since.
    async fn end_pass(&mut self) -> Option<Report> {
        let pass = self.pass.take_if(|pass| pass.is_finished())?;
        pass.await.expect("passes do not panic")
    }
}

impl Process {
    /// Notes the groups that a pass saw and left alone. The attempt of one that it decided to delete is over from then on,
    /// whoever deletes it.
    fn leaves_alone(&self, report: &Report) {
        let (found, mut known) = (self.found.lock(), self.known.lock());
        for group in &report.groups {
            let Some(created_at) = found.get(&group.name) else { continue };
            let seen = (group.name.clone(), *created_at);
            match group.outcome {
                GroupOutcome::Active
                | GroupOutcome::StartFailing { .. }
                | GroupOutcome::Record { .. }
                | GroupOutcome::Kept
                | GroupOutcome::MessageUnknown
                | GroupOutcome::SubscriptionUnread => {
                    known.insert(seen);
                }
                GroupOutcome::Changed
                | GroupOutcome::WaitingLogs { .. }
                | GroupOutcome::WaitingQuota { .. }
                | GroupOutcome::WaitingDeadline
                | GroupOutcome::DeleteFailed { .. } => {
                    known.remove(&seen);
                }
                _ => {}
            }
        }
    }
}

/// Every peeked message and every group has exactly one outcome.
fn check_report(world: &mut World, report: &Report) {
    let messages: BTreeSet<_> =
        report.messages.iter().map(|report| (&report.message.subscription, report.message.sequence_number)).collect();
    let peeked: usize = report.subscriptions.iter().map(|subscription| subscription.peeked).sum();
    let groups: BTreeMap<_, _> = report.groups.iter().map(|report| (&report.name, &report.outcome)).collect();
    let adds_up = messages.len() == peeked
        && report.messages.len() == peeked
        && report.message_counts.values().sum::<usize>() == peeked
        && groups.len() == report.groups.len()
        && report.group_counts.values().sum::<usize>() == groups.len();
    if !adds_up {
        world.violated("the outcomes do not add up".to_owned());
    }
}

/// No message waits for longer than half an hour after its group could not be created.
fn check_waits(world: &mut World, report: &Report) {
    let longest = World::moment(world.now() + 1800 * SECOND + MAX_SKEW);
    for report in &report.messages {
        if let MessageOutcome::CreateBackingOff { until, .. } = &report.outcome
            && *until > longest
        {
            world.violated(format!("{} is not tried until {until}", report.message));
        }
    }
}

impl World {
    /// Adds groups that belong to somebody else.
    fn add_foreign_groups(&mut self) {
        for (name, tags) in [("foreign-1", vec![("managed_by", "other")]), ("foreign-2", vec![])] {
            let name = aci_scaler::container_group::GroupName::parse(name).expect("it is a name");
            let tags = tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            let life = Life::Exited { since: 0, at: 0, code: 0 };
            let group = crate::groups::Group {
                name: name.clone(),
                asked: BTreeMap::new(),
                tags,
                life,
                memory: 10,
                created_at: 0,
                creator: 0,
                log_read: false,
                log_failures: 0,
                kept_since: None,
                retried_since: None,
                undated: false,
                bad_image: false,
                has_events: false,
                reuses_name: false,
            };
            self.groups.insert(name, group);
        }
    }

    /// What senders, operators and bad images do.
    fn something_happens(&mut self) {
        let names = self.scene.subscriptions.clone();
        if self.random.chance(300) {
            for _ in 0..self.random.within(1..4) {
                let to = self.random.pick(&names);
                self.send(to);
            }
        }
        if self.random.chance(5) {
            let name = self.random.pick(&names);
            let subscription = self.subscriptions.get_mut(name).expect("it is there");
            subscription.broken = !subscription.broken;
            let broken = subscription.broken;
            self.tell(|| format!("{name} is broken: {broken}"));
        }
        if self.topic.toggles() {
            let subscription = self.subscriptions.get_mut(names[0]).expect("it is there");
            subscription.disabled = !subscription.disabled;
            let disabled = subscription.disabled;
            self.tell(|| format!("{} is disabled: {disabled}", names[0]));
        }
        if self.random.chance(5) {
            let now = self.now();
            let nth = usize::try_from(self.random.within(0..8)).expect("it is not negative");
            if let Some(group) = self.groups.values_mut().filter(|group| group.is_managed()).nth(nth) {
                group.kept_since.get_or_insert(now);
                group.tags.insert("keep".into(), "true".into());
            }
        }
    }
}
