//! What a schedule is like: drawn from its seed before it begins.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use aci_scaler::settings::Settings;
use test_support::environment;

use crate::random::Random;

/// Milliseconds of simulated time.
pub type Millis = i64;

/// A second.
pub const SECOND: Millis = 1000;

/// How long after it was sent a request may still be carried out, at the most.
const MAX_LATE: Millis = 10 * SECOND;

/// How long a group takes to start at the least. Until then Azure takes no other request for it.
pub const MIN_START: Millis = MAX_LATE + SECOND;

/// What a schedule is like.
pub struct Scene {
    /// Names of the subscriptions.
    pub subscriptions: Vec<&'static str>,
    /// Processes that make passes of their own.
    pub processes: usize,
    /// Requests in a thousand that go wrong.
    pub faults: i64,
    /// Passes in a thousand that are killed in each step.
    pub crashes: i64,
    /// Messages in a thousand whose worker always dies.
    pub poison: i64,
    /// Messages in a thousand whose file is a large one.
    pub large: i64,
    /// Whether the region has no room for large groups.
    pub no_room: bool,
    /// Workers in a thousand that hang, are never started, or fail to be provisioned.
    pub bad_luck: i64,
    /// How long a list may lag behind.
    pub lag: Millis,
    /// How long after it was sent a request may still be carried out.
    pub late: Millis,
    /// Creates and deletes in five minutes, if they are limited.
    pub budget: Option<usize>,
    /// Groups that the region takes, if they are limited.
    pub quota: Option<usize>,
    /// Most seconds that a worker needs.
    pub job: i64,
    /// How the scaler is set.
    pub settings: Settings,
}

impl Scene {
    pub fn draw(random: &mut Random) -> Self {
        let environment = environment::with(&[("SKIP_SUBSCRIPTIONS", "skipped")]);
        let mut settings = Settings::from_environment(&environment).expect("the settings are accepted");
        settings.aci.max_instances = u32::try_from(random.within(1..9)).expect("it is small");
        settings.aci.max_runtime = random.chance(150).then_some(Duration::from_mins(15));
        settings.aci.provisioning_timeout = Duration::from_secs(random.pick(&[120, 600, 1800]));
        let processing = &mut settings.processing;
        processing.max_workers = NonZeroUsize::new(random.pick(&[1, 2, 4])).expect("none is zero");
        processing.peek_page = NonZeroU32::new(random.pick(&[5, 25, 250])).expect("none is zero");
        processing.peek_depth = NonZeroU32::new(random.pick(&[50, 10_000])).expect("none is zero");
        processing.retry_backoff = Duration::from_secs(random.pick(&[60, 60, 60, 60, 30, 300, 0]));
        processing.max_attempts = NonZeroU32::new(random.pick(&[10, 10, 3])).expect("none is zero");
        processing.delete_orphans = random.chance(500);
        processing.orphan_grace = Duration::from_secs(random.pick(&[0, 60, 600]));
        processing.pass_deadline = Duration::from_secs(random.pick(&[240, 240, 60]));
        // What the rules count on: a quarter of a back-off covers lists that lag and requests that come late.
        let backoff = Millis::try_from(processing.retry_backoff.as_millis()).expect("it is short");
        let margin = if backoff == 0 { 15 * SECOND } else { backoff / 4 };
        Self {
            subscriptions: ["a", "b", "c"][..random.pick(&[1, 2, 3])].to_vec(),
            processes: random.pick(&[1, 1, 1, 2]),
            faults: random.pick(&[0, 10, 50, 150]),
            crashes: random.pick(&[0, 0, 10, 50]),
            poison: random.pick(&[0, 0, 100, 500]),
            large: random.pick(&[0, 0, 100, 500]),
            no_room: random.chance(200),
            bad_luck: random.pick(&[0, 20, 100]),
            lag: random.pick(&[0, margin / 3]),
            late: random.pick(&[SECOND, (margin / 2).min(MAX_LATE)]),
            budget: random.chance(200).then(|| random.pick(&[12, 30, 100])),
            quota: random.chance(200).then(|| random.pick(&[3, 6, 12])),
            job: random.pick(&[5, 60, 600]),
            settings,
        }
    }

    /// The longest wait that any rule imposes.
    pub fn backoff(&self, attempt: u32) -> Millis {
        let first = Millis::try_from(self.settings.processing.retry_backoff.as_millis()).expect("it is short");
        (first << attempt.saturating_sub(1).min(20)).min(1800 * SECOND).max(first)
    }
}
