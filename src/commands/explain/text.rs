//! An explanation for people.

use time::OffsetDateTime;

use super::attempts::Attempt;
use super::{Explanation, GroupSize};
use crate::commands::table::table;
use crate::commands::words::{cost, lasting, moment, not_enough};
use crate::container_group::memory_in_words;
use crate::message::MessageId;
use crate::pass::report::Report;

const HEAD: [&str; 7] = ["ATTEMPT", "GROUP", "STATE", "STARTED", "ENDED", "EXIT", "REASON"];

pub(super) fn text(explanation: &Explanation, now: OffsetDateTime) -> String {
    let Explanation { subscription, sequence_number, message_id, enqueued_at, outcome, older_messages, .. } =
        explanation;
    let mut lines =
        vec![format!("Message {message_id} of {subscription} (sequence number {sequence_number})"), String::new()];
    let mut say = |name: &str, text: String| lines.push(format!("{name:<12}{text}"));
    if let Some(at) = enqueued_at {
        say("arrived", format!("{} ago, at {}", lasting(now - *at), moment(*at)));
    }
    if let Some(older) = older_messages {
        say("place", format!("{older} older messages are before it in its subscription"));
    }
    if let Some(size) = &explanation.file_size_mb {
        say("file", format!("{size} MiB"));
    }
    if let Some(GroupSize { memory_gb, ran_out_of_gb, cpu, image }) = &explanation.group_size {
        say("group", format!("{} and {cpu} cores for {image}", memory_in_words(*memory_gb, *ran_out_of_gb)));
    }
    let name: &str = outcome.as_ref().map_or("not_read", Into::into);
    say("outcome", name.to_owned());
    say("why", explanation.what.clone());
    say("next", explanation.next.clone());
    say("to do", explanation.to_do.clone());
    say("cost", format!("{}, for the attempts whose groups still exist", cost(explanation.cost)));
    lines.extend(of_attempts(&explanation.attempts));
    lines.join("\n")
}

/// What is known although no message with the id was found.
pub(super) fn not_found(id: &MessageId, attempts: &[Attempt], not_read: &[String], report: &Report) -> String {
    let read = report.subscriptions.len();
    let mut lines = vec![format!(
        "No message with the id {id} is in the {read} subscriptions that were read to the end: it was settled, has expired, or \
         never arrived. Dead-letter queues were not searched."
    )];
    lines.extend(not_read.iter().map(|reason| format!("Not read: {reason}.")));
    lines.extend(of_attempts(attempts));
    lines.join("\n")
}

fn of_attempts(attempts: &[Attempt]) -> Vec<String> {
    if attempts.is_empty() {
        return vec![String::new(), "It has no container group.".to_owned()];
    }
    let time = |at: Option<OffsetDateTime>| at.map(moment).unwrap_or_default();
    let rows: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            vec![
                attempt.number.to_string(),
                attempt.group.to_string(),
                if attempt.kept { format!("{}, kept", attempt.state) } else { attempt.state.to_owned() },
                time(attempt.started_at),
                time(attempt.ended_at),
                attempt.exit_code.map(|code| code.to_string()).unwrap_or_default(),
                reason(attempt),
            ]
        })
        .collect();
    let mut lines = vec![String::new(), table(&HEAD, &rows, None)];
    for attempt in attempts {
        if let Some(error) = &attempt.lines_error {
            lines.push(format!("\nThe last lines of {} could not be read: {error}", attempt.group));
        }
        if !attempt.last_lines.is_empty() {
            lines.push(format!("\nThe last lines of {} (its worker may have taken another message):", attempt.group));
            lines.extend(attempt.last_lines.iter().map(|line| format!("  {}", line.replace(char::is_control, " "))));
        }
    }
    lines
}

fn reason(attempt: &Attempt) -> String {
    let ran_out_of = attempt.ran_out_of_gb.map(not_enough);
    [attempt.reason.clone(), ran_out_of].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
