//! The conditions of a schedule, drawn from its seed before it begins.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use aci_scaler::settings::Settings;
use test_support::environment;

use crate::random::Random;

/// Milliseconds of simulated time.
pub type Millis = i64;

/// A second.
pub const SECOND: Millis = 1000;

/// The longest time after it was sent that a request may still be carried out.
const MAX_LATE: Millis = 10 * SECOND;

/// The shortest start of a group. Until then Azure accepts no other request for it.
pub const MIN_START: Millis = MAX_LATE + SECOND;

/// Most schedules have no policy.
const TAG_POLICIES: [Option<TagPolicy>; 8] = [
    None,
    None,
    None,
    None,
    None,
    Some(TagPolicy::RewritesManagedBy),
    Some(TagPolicy::DropsAciScaler),
    Some(TagPolicy::Both),
];

/// The conditions of a schedule.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not of any one")]
pub struct Scene {
    /// Names of the subscriptions.
    pub subscriptions: Vec<&'static str>,
    /// Processes that make passes of their own.
    pub processes: usize,
    /// How many of a thousand requests fail.
    pub faults: i64,
    /// How many of a thousand passes are killed in each step.
    pub crashes: i64,
    /// How many of a thousand messages kill every worker.
    pub poison: i64,
    /// How many of a thousand messages have large files.
    pub large: i64,
    /// Whether the region has no room for large groups.
    pub no_room: bool,
    /// How many of a thousand workers hang, never start, or fail to be provisioned.
    pub bad_luck: i64,
    /// What a policy does to the tags of new groups.
    pub tag_policy: Option<TagPolicy>,
    /// For how many of a thousand messages Azure always refuses the create.
    pub bad_creates: i64,
    /// Whether Azure refuses all changes of tags.
    pub refuses_tags: bool,
    /// How many of a thousand starting groups have an image that cannot be pulled.
    pub bad_images: i64,
    /// Whether the containers of starting groups have dated events.
    pub has_events: bool,
    /// How many of a thousand running groups Azure calls repairing, unhealthy and so on, in each answer.
    pub odd_states: i64,
    /// Whether lists name groups twice.
    pub lists_twice: bool,
    /// How long a list may lag.
    pub lag: Millis,
    /// How long after it was sent a request may still be carried out.
    pub late: Millis,
    /// The most creates and deletes in five minutes, if they are limited.
    pub budget: Option<usize>,
    /// The most groups in the region, if they are limited.
    pub quota: Option<usize>,
    /// The most seconds that a worker needs.
    pub job: i64,
    /// The scaler's settings.
    pub settings: Settings,
}

/// What a policy does to the tags of new groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagPolicy {
    /// It sets a `managed_by` of its own.
    RewritesManagedBy,
    /// It removes the tag that only the scaler uses.
    DropsAciScaler,
    /// It does both, so that only their names identify the groups.
    Both,
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
        // The rules rely on this: a quarter of a back-off covers lists that lag and late requests.
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
            tag_policy: random.pick(&TAG_POLICIES),
            bad_creates: random.pick(&[0, 0, 0, 100, 1000]),
            refuses_tags: random.chance(150),
            bad_images: random.pick(&[0, 0, 0, 100]),
            has_events: random.chance(500),
            odd_states: random.pick(&[0, 0, 300]),
            lists_twice: random.chance(150),
            lag: random.pick(&[0, margin / 3]),
            late: random.pick(&[SECOND, (margin / 2).min(MAX_LATE)]),
            budget: random.chance(200).then(|| random.pick(&[12, 30, 100])),
            quota: random.chance(200).then(|| random.pick(&[3, 6, 12])),
            job: random.pick(&[5, 60, 600]),
            settings,
        }
    }

    /// The tags that a group gets if its request has these.
    pub fn after_policy(&self, mut tags: BTreeMap<String, String>) -> BTreeMap<String, String> {
        if matches!(self.tag_policy, Some(TagPolicy::RewritesManagedBy | TagPolicy::Both)) {
            tags.insert("managed_by".into(), "the-policy".into());
        }
        if matches!(self.tag_policy, Some(TagPolicy::DropsAciScaler | TagPolicy::Both)) {
            tags.remove("aci_scaler");
        }
        tags
    }

    /// The longest wait that any rule imposes.
    pub fn backoff(&self, attempt: u32) -> Millis {
        let first = Millis::try_from(self.settings.processing.retry_backoff.as_millis()).expect("it is short");
        (first << attempt.saturating_sub(1).min(20)).min(1800 * SECOND).max(first)
    }
}
