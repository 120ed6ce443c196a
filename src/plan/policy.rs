//! The rules' numbers, and what groups are made from.

use std::sync::Arc;

use time::Duration;

use crate::container_group::Recipe;
use crate::settings::Settings;

/// The most attempts that a group's name has room for.
pub(super) const MAX_ATTEMPT: u32 = 999;

#[derive(Clone, Debug)]
pub struct Policy {
    pub rules: Rules,
    pub recipe: Arc<Recipe>,
}

#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Most active groups at a time.
    pub max_instances: u32,
    /// Wait before a message's second attempt; zero means that attempts are not counted.
    pub retry_backoff: Duration,
    /// Attempts after which a message is left alone.
    pub max_attempts: u32,
    /// How long a group may take to start running.
    pub provisioning_timeout: Duration,
    /// How long a group may run, unless for ever.
    pub max_runtime: Option<Duration>,
    /// How long the message of a running group must have been gone before the group is deleted, if it ever is.
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

    /// Whether attempts at a message are counted and spaced out. If not, a message whose group has ended gets another
    /// one of the same name as soon as that group is gone.
    pub(crate) fn count_attempts(&self) -> bool {
        !self.retry_backoff.is_zero()
    }
}

/// What is too long to compute with is for ever all the same.
fn duration(duration: std::time::Duration) -> Duration {
    /// A hundred years, which may be added to any moment there is.
    const FOR_EVER: Duration = Duration::days(36_500);
    Duration::try_from(duration).unwrap_or(FOR_EVER).min(FOR_EVER)
}
