//! How a pass goes about its work.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// `SKIP_SUBSCRIPTIONS`, `PROVISIONING_*` and `PASS_DEADLINE_SECONDS`.
#[derive(Clone, Debug)]
pub struct ProcessingSettings {
    /// Subscriptions that are not looked at, in lower case (their names have no case of their own).
    pub skip_subscriptions: BTreeSet<String>,
    /// Most creations under way at once.
    pub max_workers: NonZeroUsize,
    /// Most messages in a page.
    pub peek_page: NonZeroU32,
    /// Most messages that are looked at in one subscription and pass.
    pub peek_depth: NonZeroU32,
    /// Wait before a message's second attempt; it doubles with each further one.
    pub retry_backoff: Duration,
    /// Attempts after which a message is left alone.
    pub max_attempts: NonZeroU32,
    /// Whether running groups go whose message is gone.
    pub delete_orphans: bool,
    /// How long the message must have been gone.
    pub orphan_grace: Duration,
    /// Whether passes only say what they would do.
    pub dry_run: bool,
    /// When a pass stops starting new work.
    pub pass_deadline: Duration,
}
