//! The numbers in the rules, and the recipe for groups.

use std::sync::Arc;

use time::Duration;

use crate::container_group::Recipe;
use crate::settings::Settings;

/// The highest attempt number that a group's name has room for.
pub(super) const MAX_ATTEMPT: u32 = 999;

#[derive(Clone, Debug)]
pub struct Policy {
    pub rules: Rules,
    pub recipe: Arc<Recipe>,
}

#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The most groups that may be active at a time.
    pub max_instances: u32,
    /// The wait before a message's second attempt. Zero means that attempts are not counted.
    pub retry_backoff: Duration,
    /// After this many attempts a message is parked.
    pub max_attempts: u32,
    /// How long a group may take to start.
    pub provisioning_timeout: Duration,
    /// How long a group may run, if that is limited.
    pub max_runtime: Option<Duration>,
    /// How long its message must have been gone before a running group is deleted, if orphans are deleted at all.
    pub orphan_grace: Option<Duration>,
}

impl Policy {
    pub fn new(settings: &Settings) -> Self {
        Self { rules: Rules::new(settings), recipe: Arc::new(settings.recipe()) }
    }
}

impl Rules {
    fn new(settings: &Settings) -> Self {
        let Settings { aci, processing, .. } = settings;
        Self {
            max_instances: aci.max_instances,
            retry_backoff: duration(processing.retry_backoff),
            max_attempts: processing.max_attempts.get().min(MAX_ATTEMPT),
            provisioning_timeout: duration(aci.provisioning_timeout),
            max_runtime: aci.max_runtime.map(duration),
            orphan_grace: processing.delete_orphans.then(|| duration(processing.orphan_grace)),
        }
    }

    /// Whether attempts at a message are counted and spaced out. If not, a message whose group has ended gets another group
    /// with the same name as soon as that one is deleted.
    pub(crate) fn count_attempts(&self) -> bool {
        !self.retry_backoff.is_zero()
    }
}

/// Limits a duration, so that it can be added to any time.
fn duration(duration: std::time::Duration) -> Duration {
    /// A hundred years.
    const FOR_EVER: Duration = Duration::days(36_500);
    Duration::try_from(duration).unwrap_or(FOR_EVER).min(FOR_EVER)
}
