//! How a pass goes about its work.

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
    /// Most creates, and after them most deletes, under way at once.
    pub max_workers: NonZeroUsize,
    /// Most messages in a page.
    pub peek_page: NonZeroU32,
    /// Most messages that are read in one subscription and pass.
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
    /// When a pass gives up what it still waits for.
    pub pass_deadline: Duration,
    /// The time from the beginning of one pass to that of the next, where the timer fires more often.
    pub scale_every: Duration,
}

/// Each creation is one request, and Resource Manager grants a burst of 200 writes and 10 a second after that: 64 at
/// once are through a burst in seconds, and more only wait for each other.
const MAX_PARALLEL_CREATES: u32 = 64;
/// Service Bus sends at most about 250 messages in a reply, whatever it is asked for.
const MAX_PAGE: u32 = 250;
/// A million messages are 4,000 replies of 250, several times as many as there is time for: whatever is above is a slip.
const MAX_DEPTH: u32 = 1_000_000;
/// The wait never grows beyond 30 minutes, so it cannot begin above that.
const MAX_BACKOFF_SECONDS: u32 = 30 * 60;
/// A group's name has room for an attempt of three digits.
const MAX_ATTEMPTS_LIMIT: u32 = 999;
/// A group that may outlive its message by more than a day is no orphan to speak of: do not delete orphans at all then.
const MAX_GRACE_MINUTES: u32 = 24 * 60;
/// Less than 10 s is too short to list and peek once.
const MIN_DEADLINE_SECONDS: u32 = 10;
/// The host kills an invocation after 300 s (`functionTimeout` in host.json). A pass that ignores its deadline is cut off
/// half a minute later, which has to come first.
const MAX_DEADLINE_SECONDS: u32 = 260;

/// A scaler that looks less than once an hour is better stopped.
const MAX_SCALE_EVERY_SECONDS: u32 = 60 * 60;
/// Where no attempts are counted, a name is used again at once, and a DELETE that is late would hit the group that has it
/// now. It is given up after 30 s.
const LEAST_BETWEEN_UNCOUNTED_PASSES: Duration = Duration::from_secs(30);

const SKIP_SUBSCRIPTIONS: Setting = Setting {
    name: "SKIP_SUBSCRIPTIONS",
    doc: "Subscriptions that are not looked at, separated by commas.",
    accepts: Accepts::Text("a list of subscriptions, such as small,large"),
    fallback: Fallback::Optional,
    secret: false,
};

/// Azure answers a create after some 4 s, so that 16 workers make 4 groups a second and send the last of 50 within 13 s of the
/// first. Its default quota takes 100 creates and deletes in 5 minutes: one such burst, and the deletes after it. More
/// workers would only meet the quota sooner, and send more in vain when all creates fail for one reason.
const MAX_WORKERS: Setting = Setting {
    name: "PROVISIONING_MAX_WORKERS",
    doc: "The most creates under way at once, and after them the most deletes.",
    accepts: Accepts::Whole(1..=MAX_PARALLEL_CREATES),
    fallback: Fallback::Default("16"),
    secret: false,
};

const PEEK_MAX: Setting = Setting {
    name: "PROVISIONING_PEEK_MAX",
    doc: "The most messages that are asked for at once.",
    accepts: Accepts::Whole(1..=MAX_PAGE),
    fallback: Fallback::Default("250"),
    secret: false,
};

const PEEK_DEPTH: Setting = Setting {
    name: "PROVISIONING_PEEK_DEPTH",
    doc: "The most messages that are looked at in one subscription and pass. At 50 ms for 250 of them, 150,000 are as many \
          as can be read in the 30 s that a subscription gets; one that takes longer counts as not read to its end.",
    accepts: Accepts::Whole(1..=MAX_DEPTH),
    fallback: Fallback::Default("10000"),
    secret: false,
};

const RETRY_BACKOFF: Setting = Setting {
    name: "PROVISIONING_RETRY_BACKOFF_SECONDS",
    doc: "The wait before a message's second attempt; it doubles with each further one, up to 30 minutes. With 0 there is \
          none, and attempts are not counted. Unless it is 0, a pass creates groups in the first three quarters of it only, \
          reading included: with less than 30, few or none.",
    accepts: Accepts::Whole(0..=MAX_BACKOFF_SECONDS),
    fallback: Fallback::Default("60"),
    secret: false,
};

const MAX_ATTEMPTS: Setting = Setting {
    name: "PROVISIONING_MAX_ATTEMPTS",
    doc: "The attempts after which a message is left alone, with a warning.",
    accepts: Accepts::Whole(1..=MAX_ATTEMPTS_LIMIT),
    fallback: Fallback::Default("10"),
    secret: false,
};

const DELETE_ORPHANS: Setting = Setting {
    name: "PROVISIONING_DELETE_ORPHANS",
    doc: "Whether running groups are deleted whose message is gone. Only for workers that take no other message than the \
          one that their group was made for: one that has taken another is deleted at its work.",
    accepts: Accepts::Flag,
    fallback: Fallback::Default("false"),
    secret: false,
};

const ORPHAN_GRACE: Setting = Setting {
    name: "PROVISIONING_ORPHAN_GRACE_MINUTES",
    doc: "How long the message must have been gone for that.",
    accepts: Accepts::Whole(0..=MAX_GRACE_MINUTES),
    fallback: Fallback::Default("10"),
    secret: false,
};

const DRY_RUN: Setting = Setting {
    name: "PROVISIONING_DRY_RUN",
    doc: "Whether passes only say what they would do.",
    accepts: Accepts::Flag,
    fallback: Fallback::Default("false"),
    secret: false,
};

const PASS_DEADLINE: Setting = Setting {
    name: "PASS_DEADLINE_SECONDS",
    doc: "When a pass ends. Creating ends earlier: a quarter of the time that is left after reading is for deletes.",
    accepts: Accepts::Whole(MIN_DEADLINE_SECONDS..=MAX_DEADLINE_SECONDS),
    fallback: Fallback::Default("240"),
    secret: false,
};
const SCALE_EVERY: Setting = Setting {
    name: "SCALE_EVERY_SECONDS",
    doc: "The time between passes, a multiple of the timer's tick, which is 15 s: ticks in between are answered and make no pass. 0 makes one \
          at every tick, and whenever the function is invoked by hand.",
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
    /// The least time from the beginning of one pass to that of the next, whoever asks for it.
    pub fn least_between_passes(&self) -> Duration {
        let safe = if self.retry_backoff.is_zero() { LEAST_BETWEEN_UNCOUNTED_PASSES } else { Duration::ZERO };
        self.scale_every.max(safe)
    }

    /// The wait before a second attempt, where attempts are counted, or for ever.
    pub fn retry_backoff_or_never(&self) -> Duration {
        if self.retry_backoff.is_zero() { Duration::MAX } else { self.retry_backoff }
    }

    /// The subscriptions that are to be skipped and are not there, given those that are there and skipped.
    pub fn skipped_in_vain(&self, skipped: &[SubscriptionName]) -> Vec<&SubscriptionName> {
        self.skip_subscriptions.iter().filter(|name| !skipped.contains(name)).collect()
    }
}

/// Subscriptions by Azure's naming rules, so that a list with another separator is not one odd name that skips nothing.
fn parse_subscriptions(text: &str) -> Option<BTreeSet<SubscriptionName>> {
    let valid = |name: &str| name.len() <= 50 && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| valid(name).then(|| SubscriptionName::new(name))).collect()
}
