//! What is logged of a group that has ended, or is about to be ended: `finished` with its figures, and, if its attempt has failed, a
//! warning with the cause and its last lines.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::lives::{Cost, End, Lives, least_cost};
use crate::container_group::{ContainerGroup, MemoryGb, tag};
use crate::message::{MessageAddress, MessageId, SubscriptionName};
use crate::services::ArmError;

/// What became of a container's last lines.
pub(super) enum LastLines<'a> {
    /// As far as there are any, and they are to be logged.
    Read(&'a str),
    Unread(&'a ArmError),
}

/// Logs that a group's life is over, for better or worse.
pub(super) fn log(lives: &Lives, group: &ContainerGroup, end: &End, last: &LastLines<'_>) {
    let Of { subscription, message_id, message } = &Of::group(group);
    let figures = lives.settle(group, message.as_ref(), end);
    let (gb_seconds, vcpu_seconds) =
        (figures.cost.map(|cost| cost.gb_seconds), figures.cost.map(|cost| cost.vcpu_seconds));
    let (ended_at, reason, attempt) = (end.ended_at.map(text), end.reason.as_deref(), group.attempt());
    // The failure has them in its own event.
    let last_lines = last.text().filter(|_| !end.failed);
    tracing::info!(
        event = "finished", group = %group.name, subscription, message_id, attempt, exit_code = end.exit_code, reason,
        ended_at, waited_seconds = figures.waited_seconds, started_after_seconds = figures.started_after_seconds,
        ran_seconds = figures.ran_seconds, memory_gb = figures.memory_gb, cpu = figures.cpu, gb_seconds, vcpu_seconds,
        last_lines, "a container group has ended; its worker may have taken another message"
    );
    if !end.failed {
        if let Some(message) = message {
            lives.close_account(message);
        }
        return;
    }
    let so_far = message.as_ref().and_then(|message| lives.cost_of(message));
    let lines_error = last.error();
    tracing::warn!(
        event = "attempt_failed", group = %group.name, subscription, message_id, attempt, exit_code = end.exit_code, reason,
        ran_out_of_gb = group.ran_out_of().map(MemoryGb::to_f64), since = end.ended_at.map(text), gb_seconds = so_far.map(|cost| cost.gb_seconds),
        vcpu_seconds = so_far.map(|cost| cost.vcpu_seconds), last_lines = last.text(), lines_error,
        "an attempt at a message has failed; its worker may have taken another one"
    );
}

/// Logs the last lines of a group of whose end the log has already.
pub(super) fn log_lines(group: &ContainerGroup, lines: &LastLines<'_>) {
    let Some(last_lines) = lines.text() else { return };
    let Of { subscription, message_id, .. } = &Of::group(group);
    tracing::info!(
        event = "container_log", group = %group.name, subscription, message_id, attempt = group.attempt(), last_lines,
        "the last lines of a container group; its worker may have taken another message"
    );
}

/// A moment as the JSON has it. No moment of ours is in a year that this cannot write.
pub(super) fn text(moment: OffsetDateTime) -> String {
    let seconds = moment.replace_nanosecond(0).unwrap_or(moment);
    seconds.format(&Rfc3339).unwrap_or_else(|_| moment.to_string())
}

/// Whom a group was made for, as its tags say.
struct Of<'a> {
    subscription: Option<&'a str>,
    message_id: Option<&'a str>,
    message: Option<MessageAddress>,
}

impl<'a> Of<'a> {
    fn group(group: &'a ContainerGroup) -> Self {
        let subscription = group.tag(tag::SUBSCRIPTION_NAME).filter(|name| !name.is_empty());
        let message_id = group.tag(tag::MESSAGE_ID);
        let message = subscription.zip(group.sequence_number()).map(|(subscription, sequence_number)| MessageAddress {
            subscription: SubscriptionName::new(subscription),
            sequence_number,
            message_id: message_id.and_then(|id| MessageId::new(id).ok()),
        });
        Self { subscription, message_id, message }
    }
}

impl LastLines<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Read(text) if !text.is_empty() => Some(text),
            Self::Read(_) | Self::Unread(_) => None,
        }
    }

    fn error(&self) -> Option<String> {
        match self {
            Self::Unread(error) => Some(error.to_string()),
            Self::Read(_) => None,
        }
    }
}

/// Ends that an earlier process has logged.
pub(super) struct Summary {
    pub(super) count: usize,
    pub(super) failed: usize,
    /// When the first of them was.
    pub(super) since: Option<OffsetDateTime>,
    pub(super) cost: Cost,
}

impl Summary {
    pub(super) fn of<'a>(groups: impl Iterator<Item = &'a ContainerGroup>, now: OffsetDateTime) -> Self {
        let mut summary = Self { count: 0, failed: 0, since: None, cost: Cost::default() };
        for group in groups {
            let end = End::of(group, None, now);
            summary.count += 1;
            summary.failed += usize::from(end.failed);
            summary.since = [summary.since, end.ended_at].into_iter().flatten().min();
            summary.cost = summary.cost.plus(least_cost(group, &end).unwrap_or_default());
        }
        summary
    }
}
