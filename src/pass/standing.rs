//! Troubles that last from pass to pass. Each is logged when it begins, when it changes, and otherwise once in
//! [`REPEATED_AFTER`], with the time it began and the number of passes. It is over when a pass no longer sees it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use time::{Duration, OffsetDateTime};

use super::ended::text;
use super::lives::{Cost, Lives};
use super::report::{Item, Report, Trouble, TroubleKind};
use crate::message::{MessageAddress, SubscriptionName};
use crate::plan::FailureCause;
use crate::sync::Mutex;

/// How often a trouble that has not changed is logged again. Alerts and people who read the last 15 minutes of the log see it.
const REPEATED_AFTER: Duration = Duration::minutes(10);

/// How many messages or groups of one trouble get a line of their own in a pass: enough to see what is wrong.
const MAX_EXAMPLES: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Standing {
    troubles: Mutex<BTreeMap<Key, Lasting>>,
    passes: Mutex<Passes>,
}

/// How the last passes went.
#[derive(Debug, Default)]
struct Passes {
    /// Since when all have failed, and how many there were.
    failing: Option<(OffsetDateTime, u32)>,
    /// How many messages waited when a pass last succeeded.
    waiting: usize,
    /// When the oldest of them was enqueued.
    oldest_waiting_at: Option<OffsetDateTime>,
}

/// The passes that failed in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedPasses {
    pub since: OffsetDateTime,
    pub passes: u32,
    /// How many messages waited when a pass last succeeded.
    pub waiting: usize,
    /// How long the oldest of them has been waiting, if it still waits.
    pub waiting_seconds: Option<i64>,
}

/// The trouble's name, its subscription, and Azure's error code.
type Key = (&'static str, Option<SubscriptionName>, Option<String>);

#[derive(Debug)]
struct Lasting {
    since: OffsetDateTime,
    passes: u32,
    logged_at: OffsetDateTime,
    /// The items that are already logged.
    known: HashSet<u64>,
}

impl Standing {
    /// Logs the troubles that are new, changed, due again or over, and notes in the report since when subscriptions are unread.
    pub(super) fn log(
        &self,
        report: &mut Report,
        failed_creates: &[(MessageAddress, FailureCause)],
        lives: &Lives,
        now: OffsetDateTime,
    ) {
        self.pass_succeeded(report, now);
        let mut standing = self.troubles.lock();
        let mut seen = HashSet::new();
        let troubles = report.troubles();
        for (key, failures) in by_cause(failed_creates) {
            let lasting = see(&mut standing, &key, now);
            lasting.logged_at = now;
            log_failed_creates(&key, &failures, lasting, &troubles, report);
            seen.insert(key);
        }
        for trouble in &troubles {
            let key = (trouble.kind.name(), trouble.subscription.clone(), None);
            if trouble.kind == TroubleKind::CreatesHeld {
                // `create_failed` of this pass already says this, and more.
                let is_tried =
                    seen.iter().any(|(kind, of, _): &Key| *kind == CREATE_FAILED && *of == trouble.subscription);
                standing.keys().filter(|(kind, of, _)| *kind == CREATE_FAILED && *of == trouble.subscription).for_each(
                    |key| {
                        seen.insert(key.clone());
                    },
                );
                if is_tried {
                    see(&mut standing, &key, now).logged_at = now;
                    seen.insert(key);
                    continue;
                }
            }
            log_trouble(trouble, see(&mut standing, &key, now), lives, now);
            seen.insert(key);
        }
        for subscription in report.subscriptions.iter_mut().filter(|subscription| subscription.error.is_some()) {
            let key = (TroubleKind::Unread.name(), Some(subscription.name.clone()), None);
            subscription.unread_since = standing.get(&key).map(|lasting| lasting.since);
        }
        let over = standing.extract_if(.., |key, _| !seen.contains(key));
        // The end of `create_failed` already says that creates succeed again.
        let is_said = |key: &Key| key.0 != TroubleKind::CreatesHeld.name();
        for ((trouble, subscription, code), lasting) in over.filter(|(key, _)| is_said(key)) {
            log_over(trouble, subscription.as_ref(), code.as_deref(), lasting.since, lasting.passes, now);
        }
    }
}

impl Standing {
    /// Counts a failed pass.
    pub(super) fn pass_failed(&self, now: OffsetDateTime) {
        let mut passes = self.passes.lock();
        let (since, count) = passes.failing.unwrap_or((now, 0));
        passes.failing = Some((since, count.saturating_add(1)));
    }

    /// The passes that failed in a row, if the last one failed.
    pub(super) fn failed_passes(&self, now: OffsetDateTime) -> Option<FailedPasses> {
        let known = self.passes.lock();
        let (since, passes) = known.failing?;
        let waiting_seconds = known.oldest_waiting_at.map(|at| (now - at).whole_seconds());
        Some(FailedPasses { since, passes, waiting: known.waiting, waiting_seconds })
    }

    fn pass_succeeded(&self, report: &Report, now: OffsetDateTime) {
        let mut known = self.passes.lock();
        known.waiting = report.subscriptions.iter().map(|subscription| subscription.waiting).sum();
        known.oldest_waiting_at = report.subscriptions.iter().filter_map(|of| of.oldest_waiting_at).min();
        if let Some((since, passes)) = known.failing.take() {
            log_over("pass_failed", None, None, since, passes, now);
        }
    }
}

fn log_over(
    trouble: &str,
    subscription: Option<&SubscriptionName>,
    code: Option<&str>,
    since: OffsetDateTime,
    passes: u32,
    now: OffsetDateTime,
) {
    tracing::info!(
        event = "over",
        trouble,
        subscription = subscription.map(SubscriptionName::as_str),
        code,
        since = text(since),
        lasted_seconds = (now - since).whole_seconds(),
        passes,
        "a trouble is over"
    );
}

const CREATE_FAILED: &str = "create_failed";

fn see<'a>(standing: &'a mut BTreeMap<Key, Lasting>, key: &Key, now: OffsetDateTime) -> &'a mut Lasting {
    let begin = || Lasting { since: now, passes: 0, logged_at: now, known: HashSet::new() };
    let lasting = standing.entry(key.clone()).or_insert_with(begin);
    lasting.passes = lasting.passes.saturating_add(1);
    lasting
}

fn log_trouble(trouble: &Trouble, lasting: &mut Lasting, lives: &Lives, now: OffsetDateTime) {
    let known = std::mem::take(&mut lasting.known);
    lasting.known = trouble.items.iter().map(|item| identity(trouble.kind, item)).collect();
    lasting.since = trouble.items.iter().filter_map(|item| item.since).fold(lasting.since, OffsetDateTime::min);
    let mut told = HashSet::new();
    let is_new = |item: &&Item| {
        let identity = identity(trouble.kind, item);
        !known.contains(&identity) && told.insert(identity)
    };
    let news: Vec<_> = trouble.items.iter().filter(is_new).collect();
    let Some(first) = news.first().copied().or(trouble.items.first()) else { return };
    if !news.is_empty() && !trouble.kind.is_common() {
        for item in news.iter().take(MAX_EXAMPLES) {
            let cost = item.message.as_ref().and_then(|message| lives.cost_of(message));
            log(trouble, item, 1, lasting, cost);
        }
    }
    let are_many = if trouble.kind.is_common() { !news.is_empty() } else { news.len() > MAX_EXAMPLES };
    let is_due = news.is_empty() && now - lasting.logged_at >= REPEATED_AFTER;
    if are_many || is_due {
        let costs = trouble.items.iter().filter_map(|item| lives.cost_of(item.message.as_ref()?));
        let cost = costs.reduce(Cost::plus).or_else(|| lives.cost_in(trouble.subscription.as_ref()));
        let item = Item { since: Some(lasting.since), ..first.clone() };
        log(trouble, &item, trouble.count, lasting, cost);
    }
    if !news.is_empty() || is_due {
        lasting.logged_at = now;
    }
}

/// A hash that tells an item from those that are already logged.
fn identity(kind: TroubleKind, item: &Item) -> u64 {
    let mut hash = DefaultHasher::new();
    if !kind.is_common() {
        (&item.message, &item.group).hash(&mut hash);
    }
    if !matches!(kind, TroubleKind::Held | TroubleKind::Parked) {
        // Reasons with the same cause may differ in their numbers.
        let words =
            item.reason.iter().flat_map(|reason| reason.chars().filter(|character| !character.is_ascii_digit()));
        words.for_each(|character| character.hash(&mut hash));
    }
    hash.finish()
}

/// Logs one line of a trouble: about one item, or about all, with one as an example.
fn log(trouble: &Trouble, item: &Item, count: u64, lasting: &Lasting, cost: Option<Cost>) {
    let Trouble { kind, subscription, waiting_seconds, .. } = trouble;
    tracing::warn!(
        event = kind.name(),
        subscription = subscription.as_ref().map(SubscriptionName::as_str),
        count,
        message_id = item.message_id,
        group = item.group.as_ref().map(ToString::to_string),
        attempt = item.attempt,
        exit_code = item.exit_code,
        reason = item.reason,
        since = text(item.since.unwrap_or(lasting.since)),
        until = item.until.map(text),
        backlog = item.backlog,
        passes = lasting.passes,
        waiting_seconds,
        gb_seconds = cost.map(|cost| cost.gb_seconds),
        vcpu_seconds = cost.map(|cost| cost.vcpu_seconds),
        "{}",
        kind.sentence(count)
    );
}

/// The failed creates, by subscription and Azure's code.
fn by_cause(failed: &[(MessageAddress, FailureCause)]) -> BTreeMap<Key, Vec<&(MessageAddress, FailureCause)>> {
    let mut causes: BTreeMap<Key, Vec<_>> = BTreeMap::new();
    for failure in failed {
        let key = (CREATE_FAILED, Some(failure.0.subscription.clone()), Some(failure.1.code.clone()));
        causes.entry(key).or_default().push(failure);
    }
    causes
}

fn log_failed_creates(
    (_, subscription, code): &Key,
    failures: &[&(MessageAddress, FailureCause)],
    lasting: &Lasting,
    troubles: &[Trouble],
    report: &Report,
) {
    let Some((message, cause)) = failures.first() else { return };
    let held = troubles
        .iter()
        .find(|trouble| trouble.kind == TroubleKind::CreatesHeld && trouble.subscription == *subscription)
        .map_or(0, |trouble| trouble.count);
    tracing::error!(
        event = "create_failed",
        subscription = message.subscription.as_str(),
        count = failures.len(),
        message_id = message.message_id.as_ref().map(ToString::to_string),
        code,
        since = text(lasting.since),
        passes = lasting.passes,
        held,
        waiting_seconds = report.oldest_waiting_seconds(subscription.as_ref()),
        reason = cause.reason,
        "container groups were not created"
    );
}
