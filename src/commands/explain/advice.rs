//! What an outcome means for a person who waits for the message: in a sentence, what happens next, and what can be done.

use crate::commands::cause::Cause;
use crate::commands::words::moment;
use crate::pass::report::{Grouped, Report};
use crate::plan::MessageOutcome;

pub(super) struct Advice {
    pub(super) what: String,
    pub(super) next: String,
    pub(super) to_do: String,
}

const NOTHING: &str = "Nothing.";
const NEXT_PASS: &str = "The next pass sees to it.";

#[expect(clippy::too_many_lines, reason = "it is a table with a line for each outcome")]
pub(super) fn advice(outcome: Option<&MessageOutcome>, report: &Report, older: Option<usize>) -> Advice {
    let Some(outcome) = outcome else { return not_read(report, older) };
    let Cause { reason, until, attempt, .. } = &Cause::of(outcome);
    let words = Cause::of(outcome).words();
    let ended = if words.is_empty() { String::new() } else { format!(" ({words})") };
    let reason = reason.as_deref().unwrap_or_default();
    let at = until.map(moment).unwrap_or_default();
    let attempt = attempt.unwrap_or_default();
    let advice =
        |what: String, next: &str, to_do: &str| Advice { what, next: next.to_owned(), to_do: to_do.to_owned() };
    match outcome {
        MessageOutcome::Created { .. } | MessageOutcome::Found { .. } => {
            advice("Its container group has just been created.".to_owned(), "It starts.", NOTHING)
        }
        MessageOutcome::ToBeCreated { .. } => advice(
            "Nothing keeps it waiting: a pass that begins now creates its container group.".to_owned(),
            "The next pass creates its container group, unless Azure refuses it or the app remembers a refusal.",
            "If it stays so, see create_failed in the log, and run `aci-scaler check`.",
        ),
        MessageOutcome::Running { reason: Some(reason), .. } => advice(
            format!("It has a container group, which Azure cannot start: {reason}."),
            "Five minutes after that began, the attempt counts as failed, and the next one follows after its back-off.",
            "Mend what the reason says: push the image, or fix its name or the registry's credentials.",
        ),
        MessageOutcome::Running { .. } => advice(
            "It has a container group that is starting or at work.".to_owned(),
            "When its worker has settled the message, the group goes.",
            NOTHING,
        ),
        MessageOutcome::BackingOff { .. } => advice(
            format!(
                "Attempt {attempt} has ended{ended} without the message being settled, and the next one is not due yet."
            ),
            &format!("The next attempt is due at {at}."),
            "Read the last lines below. Once the worker is fixed, the next attempt succeeds by itself; `aci-scaler retry --message ID` \
             makes it at once.",
        ),
        MessageOutcome::Parked { .. } => advice(
            format!("It is parked: {attempt} attempts have not settled it. The last one ended{ended}."),
            "Nothing: it gets no further container group while it stays in its subscription.",
            "Fix the worker or the message, then run `aci-scaler retry --message ID`, or send the message again under another id and \
             remove this one.",
        ),
        MessageOutcome::HeldByBreaker { until, failures } => advice(
            format!(
                "Its subscription is held up: containers of {} messages have failed one after the other, the last one{ended}.",
                failures.as_ref().map_or_else(|| "several".to_owned(), |failures| failures.failures.to_string())
            ),
            &until.map_or_else(
                || "One container group is on its way to see whether it does better.".to_owned(),
                |until| {
                    format!("One container group is let through at {}, to see whether it does better.", moment(until))
                },
            ),
            "Fix the worker's image or its configuration. All messages go on once one container has ended with exit code 0, or at once \
             after `aci-scaler retry --subscription NAME`.",
        ),
        MessageOutcome::CreateBackingOff { .. }
        | MessageOutcome::HeldByFailedCreates { .. }
        | MessageOutcome::Failed { .. } => {
            let next = if at.is_empty() {
                "One create is tried in each pass.".to_owned()
            } else {
                format!("It is tried again at {at}.")
            };
            advice(
                format!("Its container group could not be created: {reason}."),
                &next,
                "Fix what the reason says; `aci-scaler check` names missing roles.",
            )
        }
        MessageOutcome::WaitingCapacity => advice(
            format!("It waits for a slot: {} of {} are in use.", report.capacity.active, report.capacity.max),
            "It gets its container group when one of those that run has ended, and older messages have theirs.",
            "Set a higher ACI_MAX_INSTANCES, if the quota allows it (`aci-scaler check`).",
        ),
        MessageOutcome::WaitingQuota { .. } => {
            advice(format!("It waits until Azure takes more: {reason}."), NEXT_PASS, "Ask for more quota, or wait.")
        }
        MessageOutcome::WaitingDeadline => advice(
            "The pass had no time left for it.".to_owned(),
            NEXT_PASS,
            "Set a higher PROVISIONING_MAX_WORKERS, if that lasts.",
        ),
        MessageOutcome::Finished { group } => advice(
            format!("A finished group, {group}, is in its way."),
            "When that group has gone, it gets its own.",
            "If the group is tagged keep=true, take the tag off or delete it.",
        ),
        MessageOutcome::Changed { .. } => advice("Its last group has just changed.".to_owned(), NEXT_PASS, NOTHING),
        MessageOutcome::Duplicate => advice(
            "An older message of the same id in its subscription comes first.".to_owned(),
            "It is served when that one has gone.",
            "Mend the sender: ids have to be unique.",
        ),
        MessageOutcome::Deferred => advice(
            "A receiver has set it aside.".to_owned(),
            "Nothing: only a receiver that knows its sequence number gets it.",
            "Whoever deferred it has to receive it.",
        ),
        MessageOutcome::Scheduled => advice("It is not due yet.".to_owned(), "It is served when it is due.", NOTHING),
        MessageOutcome::Expired => advice(
            "Its time to live is over.".to_owned(),
            "Service Bus removes it.",
            "Send it again, if it still matters.",
        ),
        MessageOutcome::Invalid { .. } => advice(
            format!("It cannot be given a container group: {reason}."),
            "Nothing, as long as it is as it is.",
            "Mend the sender, then send it again and remove this one.",
        ),
    }
}

/// It is deeper in its subscription than a pass reads.
fn not_read(report: &Report, older: Option<usize>) -> Advice {
    let older =
        older.map_or_else(|| "Older messages".to_owned(), |older| format!("{} older messages", Grouped(older as u64)));
    let (active, max) = (report.capacity.active, report.capacity.max);
    Advice {
        what: format!(
            "{older} of its subscription come before it, and a pass reads no further than it has free slots for ({active} of {max} are in use)."
        ),
        next: "It gets its container group when its turn comes.".to_owned(),
        to_do: "Set a higher ACI_MAX_INSTANCES, if the quota allows it (`aci-scaler check`).".to_owned(),
    }
}
