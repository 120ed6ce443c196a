//! The settings of passes.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::reader::{Reader, Reported};
use super::setting::{Accepts, Fallback, Setting};
use crate::message::SubscriptionName;

/// `SKIP_SUBSCRIPTIONS`, `PROVISIONING_*` and `PASS_DEADLINE_SECONDS`.
#[derive(Clone, Debug)]
pub struct ProcessingSettings {
    /// Subscriptions that are not read.
    pub skip_subscriptions: BTreeSet<SubscriptionName>,
    /// The most creates, and after them the most deletes, that run at once.
    pub max_workers: NonZeroUsize,
    /// The most messages in a page.
    pub peek_page: NonZeroU32,
    /// The most messages that a pass reads in one subscription.
    pub peek_depth: NonZeroU32,
    /// The wait before a message's second attempt. It doubles with each further one.
    pub retry_backoff: Duration,
    /// After this many attempts a message is parked.
    pub max_attempts: NonZeroU32,
    /// Whether running groups whose message is gone are deleted.
    pub delete_orphans: bool,
    /// How long the message must have been gone for that.
    pub orphan_grace: Duration,
    /// Whether passes only report what they would do.
    pub dry_run: bool,
    /// How long a pass may take.
    pub pass_deadline: Duration,
    /// The time from the start of one pass to that of the next. The timer may fire more often.
    pub scale_every: Duration,
}

/// Each create is one request, and Resource Manager allows a burst of 200 writes and 10 a second after that: 64 at once use up
/// a burst in seconds, and more would only wait for each other.
const MAX_PARALLEL_CREATES: u32 = 64;
/// Service Bus sends at most about 250 messages in a reply, whatever the request says.
const MAX_PAGE: u32 = 250;
/// A million messages are 4,000 replies of 250, several times as many as a pass has time for. Anything above is a mistake.
const MAX_DEPTH: u32 = 1_000_000;
/// The wait never grows beyond 30 minutes, so it cannot begin above that.
const MAX_BACKOFF_SECONDS: u32 = 30 * 60;
/// A group's name has room for an attempt number of three digits.
const MAX_ATTEMPTS_LIMIT: u32 = 999;
/// If groups may outlive their messages by more than a day, do not delete orphans at all.
const MAX_GRACE_MINUTES: u32 = 24 * 60;
/// Less than 10 s is too short to list and peek once.
const MIN_DEADLINE_SECONDS: u32 = 10;
/// The host kills an invocation after 300 s (`functionTimeout` in host.json). The scaler cuts off a pass half a minute after its
/// deadline, and that must come first.
const MAX_DEADLINE_SECONDS: u32 = 260;

/// If it is to make less than one pass an hour, better stop the scaler.
const MAX_SCALE_EVERY_SECONDS: u32 = 60 * 60;
/// If attempts are not counted, a name is used again at once, and a late DELETE would hit the new group with that name. The
/// scaler gives up on a DELETE after 30 s.
const LEAST_BETWEEN_UNCOUNTED_PASSES: Duration = Duration::from_secs(30);

const SKIP_SUBSCRIPTIONS: Setting = Setting {
    name: "SKIP_SUBSCRIPTIONS",
    doc: "The subscriptions that the scaler does not read, separated by commas.",
    accepts: Accepts::Text("a list of subscriptions, such as small,large"),
    fallback: Fallback::Optional,
    secret: false,
};

/// Azure answers a create after some 4 s, so 16 workers create 4 groups a second, and send the last of 50 within 13 s of the
/// first. Its default quota is 100 creates and deletes in 5 minutes: one such burst, and the deletes after it. More workers
/// would only reach the quota sooner, and send more requests in vain when all creates fail for the same reason.
const MAX_WORKERS: Setting = Setting {
    name: "PROVISIONING_MAX_WORKERS",
    doc: "The most creates that run at once, and after them the most deletes.",
    accepts: Accepts::Whole(1..=MAX_PARALLEL_CREATES),
    fallback: Fallback::Default("16"),
    secret: false,
};

const PEEK_MAX: Setting = Setting {
    name: "PROVISIONING_PEEK_MAX",
    doc: "The most messages in one request.",
    accepts: Accepts::Whole(1..=MAX_PAGE),
    fallback: Fallback::Default("250"),
    secret: false,
};

const PEEK_DEPTH: Setting = Setting {
    name: "PROVISIONING_PEEK_DEPTH",
    doc: "The most messages that a pass reads in one subscription. At 50 ms for 250 of them, it can read 150,000 in the 30 s \
          that a subscription gets; one that takes longer counts as not read to its end.",
    accepts: Accepts::Whole(1..=MAX_DEPTH),
    fallback: Fallback::Default("10000"),
    secret: false,
};

const RETRY_BACKOFF: Setting = Setting {
    name: "PROVISIONING_RETRY_BACKOFF_SECONDS",
    doc: "The wait before a message's second attempt; it doubles with each further one, up to 30 minutes. With 0 there is no \
          wait, and attempts are not counted. Otherwise a pass creates groups only until three quarters of this time have \
          passed since it began to read: with less than 30, few or none.",
    accepts: Accepts::Whole(0..=MAX_BACKOFF_SECONDS),
    fallback: Fallback::Default("60"),
    secret: false,
};

const MAX_ATTEMPTS: Setting = Setting {
    name: "PROVISIONING_MAX_ATTEMPTS",
    doc: "After this many attempts a message is parked: it gets no further group, and the log has a warning.",
    accepts: Accepts::Whole(1..=MAX_ATTEMPTS_LIMIT),
    fallback: Fallback::Default("10"),
    secret: false,
};

const DELETE_ORPHANS: Setting = Setting {
    name: "PROVISIONING_DELETE_ORPHANS",
    doc: "Whether to delete running groups whose message is gone. Only for workers that never take another message than the \
          one that their group was created for: one that did is deleted while it works.",
    accepts: Accepts::Flag,
    fallback: Fallback::Default("false"),
    secret: false,
};

const ORPHAN_GRACE: Setting = Setting {
    name: "PROVISIONING_ORPHAN_GRACE_MINUTES",
    doc: "How long the message must have been gone before its running group is deleted.",
    accepts: Accepts::Whole(0..=MAX_GRACE_MINUTES),
    fallback: Fallback::Default("10"),
    secret: false,
};

const DRY_RUN: Setting = Setting {
    name: "PROVISIONING_DRY_RUN",
    doc: "Whether passes only report what they would do.",
    accepts: Accepts::Flag,
    fallback: Fallback::Default("false"),
    secret: false,
};

const PASS_DEADLINE: Setting = Setting {
    name: "PASS_DEADLINE_SECONDS",
    doc: "How long a pass may take. Creating ends earlier: a quarter of the time that is left after reading is reserved for \
          deletes.",
    accepts: Accepts::Whole(MIN_DEADLINE_SECONDS..=MAX_DEADLINE_SECONDS),
    fallback: Fallback::Default("240"),
    secret: false,
};
const SCALE_EVERY: Setting = Setting {
    name: "SCALE_EVERY_SECONDS",
    doc: "The time between passes, a multiple of the 15 s at which the timer fires. When it fires in between, there is no pass. \
          With 0 there is one each time, and whenever somebody invokes the function.",
    accepts: Accepts::Whole(0..=MAX_SCALE_EVERY_SECONDS),
    fallback: Fallback::Default("15"),
    secret: false,
};

pub(super) const ALL: [&Setting; 11] = [
    &SKIP_SUBSCRIPTIONS,
    &MAX_WORKERS,
    &PEEK_MAX,
    &PEEK_DEPTH,
    &RETRY_BACKOFF,
    &MAX_ATTEMPTS,
    &DELETE_ORPHANS,
    &ORPHAN_GRACE,
    &DRY_RUN,
    &PASS_DEADLINE,
    &SCALE_EVERY,
];

impl ProcessingSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Reported> {
        let skip_subscriptions = reader.optional(&SKIP_SUBSCRIPTIONS, parse_subscriptions);
        let max_workers = reader.whole(&MAX_WORKERS);
        let peek_page = reader.whole(&PEEK_MAX);
        let peek_depth = reader.whole(&PEEK_DEPTH);
        let retry_backoff = reader.seconds(&RETRY_BACKOFF);
        let max_attempts = reader.whole(&MAX_ATTEMPTS);
        let delete_orphans = reader.flag(&DELETE_ORPHANS);
        let orphan_grace = reader.minutes(&ORPHAN_GRACE);
        let dry_run = reader.flag(&DRY_RUN);
        let pass_deadline = reader.seconds(&PASS_DEADLINE);
        let scale_every = reader.seconds(&SCALE_EVERY);
        Ok(Self {
            skip_subscriptions: skip_subscriptions?.unwrap_or_default(),
            max_workers: max_workers?,
            peek_page: peek_page?,
            peek_depth: peek_depth?,
            retry_backoff: retry_backoff?,
            max_attempts: max_attempts?,
            delete_orphans: delete_orphans?,
            orphan_grace: orphan_grace?,
            dry_run: dry_run?,
            pass_deadline: pass_deadline?,
            scale_every: scale_every?,
        })
    }
}

impl ProcessingSettings {
    /// The least time from the start of one pass to that of the next, whoever invokes them.
    pub fn least_between_passes(&self) -> Duration {
        let safe = if self.retry_backoff.is_zero() { LEAST_BETWEEN_UNCOUNTED_PASSES } else { Duration::ZERO };
        self.scale_every.max(safe)
    }

    /// The wait before a second attempt, or the longest duration if attempts are not counted.
    pub fn retry_backoff_or_never(&self) -> Duration {
        if self.retry_backoff.is_zero() { Duration::MAX } else { self.retry_backoff }
    }

    /// The names in `SKIP_SUBSCRIPTIONS` that are not among the skipped subscriptions of the topic.
    pub fn skipped_but_unknown(&self, skipped: &[SubscriptionName]) -> Vec<&SubscriptionName> {
        self.skip_subscriptions.iter().filter(|name| !skipped.contains(name)).collect()
    }
}

/// Checks the names by Azure's rules, so that a list with another separator is not taken as one odd name that skips nothing.
fn parse_subscriptions(text: &str) -> Option<BTreeSet<SubscriptionName>> {
    let valid = |name: &str| name.len() <= 50 && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| valid(name).then(|| SubscriptionName::new(name))).collect()
}
