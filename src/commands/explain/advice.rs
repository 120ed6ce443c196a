//! What an outcome means to a person: in a sentence, what happens next, and what to do.

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
const NEXT_PASS: &str = "The next pass decides again.";

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
            advice("Its container group was just created.".to_owned(), "It starts.", NOTHING)
        }
        MessageOutcome::ToBeCreated { .. } => advice(
            "Nothing holds it up: a pass that begins now creates its container group.".to_owned(),
            "The next pass creates its container group, unless Azure refuses it or the app remembers a refusal.",
            "If it stays like this, see create_failed in the log, and run `aci-scaler check`.",
        ),
        MessageOutcome::Running { reason: Some(reason), .. } => advice(
            format!("It has a container group, which Azure cannot start: {reason}."),
            "Five minutes after that began, the attempt counts as failed, and the next one follows after its back-off.",
            "Fix what the reason says: push the image, or correct its name or the registry's credentials.",
        ),
        MessageOutcome::Running { .. } => advice(
            "It has a container group that is starting or at work.".to_owned(),
            "Once its worker has settled the message, the scaler deletes the group.",
            NOTHING,
        ),
        MessageOutcome::BackingOff { .. } => advice(
            format!("Attempt {attempt} ended{ended} and did not settle the message. The next one is not due yet."),
            &format!("The next attempt is due at {at}."),
            "Read the last lines below. Once the worker is fixed, the next attempt succeeds by itself; \
             `aci-scaler retry --message ID` makes it at once.",
        ),
        MessageOutcome::Parked { .. } => advice(
            format!("It is parked: {attempt} attempts did not settle it. The last one ended{ended}."),
            "Nothing: it gets no further container group while it stays in its subscription.",
            "Fix the worker or the message, then run `aci-scaler retry --message ID`, or send the message again with another \
             id and remove this one.",
        ),
        MessageOutcome::HeldByBreaker { until, failures } => advice(
            format!(
                "Its subscription is held up: containers of {} messages failed one after the other, the last one{ended}.",
                failures.as_ref().map_or_else(|| "several".to_owned(), |failures| failures.failures.to_string())
            ),
            &until.map_or_else(
                || "One container group is being tried, to see whether it succeeds.".to_owned(),
                |until| format!("One container group is let through at {}, to see whether it succeeds.", moment(until)),
            ),
            "Fix the worker's image or its configuration. All messages go on once one container exits with code 0, or at once \
             after `aci-scaler retry --subscription NAME`.",
        ),
        MessageOutcome::CreateBackingOff { .. }
        | MessageOutcome::HeldByFailedCreates { .. }
        | MessageOutcome::Failed { .. } => {
            let next = if at.is_empty() {
                "Each pass tries one create.".to_owned()
            } else {
                format!("The scaler tries again at {at}.")
            };
            advice(
                format!("Its container group could not be created: {reason}."),
                &next,
                "Fix what the reason says; `aci-scaler check` names missing roles.",
            )
        }
        MessageOutcome::WaitingCapacity => advice(
            format!("It waits for a slot: {} of {} are in use.", report.capacity.active, report.capacity.max),
            "It gets its container group when a running one ends and older messages have theirs.",
            "Set a higher ACI_MAX_INSTANCES, if the quota allows it (`aci-scaler check`).",
        ),
        MessageOutcome::WaitingQuota { .. } => {
            advice(format!("It waits until Azure accepts more: {reason}."), NEXT_PASS, "Ask for more quota, or wait.")
        }
        MessageOutcome::WaitingDeadline => advice(
            "The pass had no time left for it.".to_owned(),
            NEXT_PASS,
            "If that lasts, set a higher PROVISIONING_MAX_WORKERS.",
        ),
        MessageOutcome::Finished { group } => advice(
            format!("A finished group, {group}, is in its way."),
            "Once that group is deleted, it gets its own.",
            "If the group is tagged keep=true, remove the tag or delete the group.",
        ),
        MessageOutcome::Changed { .. } => advice("Its last group just changed.".to_owned(), NEXT_PASS, NOTHING),
        MessageOutcome::Duplicate => advice(
            "An older message with the same id in its subscription comes first.".to_owned(),
            "It is served once that one is gone.",
            "Fix the sender: ids must be unique.",
        ),
        MessageOutcome::Deferred => advice(
            "A receiver has deferred it.".to_owned(),
            "Nothing: only a receiver with its sequence number gets it.",
            "Whoever deferred it must receive it.",
        ),
        MessageOutcome::Scheduled => advice("It is not due yet.".to_owned(), "It is served when it is due.", NOTHING),
        MessageOutcome::Expired => advice(
            "Its time to live is over.".to_owned(),
            "Service Bus removes it.",
            "Send it again if it still matters.",
        ),
        MessageOutcome::Invalid { .. } => advice(
            format!("It cannot get a container group: {reason}."),
            "Nothing, while it stays as it is.",
            "Fix the sender, then send the message again and remove this one.",
        ),
    }
}

/// The message is deeper in its subscription than a pass reads.
fn not_read(report: &Report, older: Option<usize>) -> Advice {
    let older =
        older.map_or_else(|| "Older messages".to_owned(), |older| format!("{} older messages", Grouped(older as u64)));
    let (active, max) = (report.capacity.active, report.capacity.max);
    Advice {
        what: format!(
            "{older} of its subscription come before it, and a pass reads only as far as it has free slots ({active} of {max} are in use)."
        ),
        next: "It gets its container group when its turn comes.".to_owned(),
        to_do: "Set a higher ACI_MAX_INSTANCES, if the quota allows it (`aci-scaler check`).".to_owned(),
    }
}
