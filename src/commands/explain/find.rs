//! Finds the messages with an id, however deep in their subscriptions they are.

use std::io::{IsTerminal as _, Write as _, stderr};

use time::OffsetDateTime;

use crate::azure::AzureServices;
use crate::message::{MessageId, PeekedMessage, SubscriptionName};
use crate::pass::report::{Grouped, Report, SubscriptionReport};
use crate::plan::MessageOutcome;
use crate::services::{Messages as _, PeekError, Peeker};

/// The most messages that Service Bus sends in a reply.
const PAGE: u32 = 250;

/// What was found.
pub(super) struct FoundAll {
    pub(super) messages: Vec<Found>,
    /// Subscriptions that could not be read far enough to find the message, and why.
    pub(super) not_read: Vec<String>,
}

/// A message with the id.
pub(super) struct Found {
    pub(super) subscription: SubscriptionName,
    pub(super) message_id: MessageId,
    pub(super) sequence_number: i64,
    pub(super) enqueued_at: Option<OffsetDateTime>,
    /// Its outcome in a pass, if the pass read that far.
    pub(super) outcome: Option<MessageOutcome>,
    pub(super) older_messages: Option<usize>,
    /// The message itself.
    pub(super) peeked: Option<PeekedMessage>,
}

/// Searches what the pass has read, and reads on from there if the message is not in it.
pub(super) async fn find(services: &AzureServices, report: &Report, id: &MessageId) -> FoundAll {
    let unserved = report.unserved_subscriptions.iter().map(|of| format!("{}: {}", of.name, of.reason));
    let skipped = report.skipped_subscriptions.iter().map(|name| format!("{name}: it is skipped"));
    let mut found = FoundAll { messages: Vec::new(), not_read: unserved.chain(skipped).collect() };
    let peeker = match services.messages.connect().await {
        Ok(peeker) => peeker,
        Err(error) => {
            found.not_read.push(error.to_string());
            return found;
        }
    };
    let read = report.messages.iter().filter(|of| of.message.message_id.as_ref() == Some(id));
    for of in read {
        let (subscription, sequence_number) = (of.message.subscription.clone(), of.message.sequence_number);
        let page = peeker.peek(&subscription, sequence_number, 1).await.unwrap_or_default();
        let is_older = |other: &&crate::pass::report::MessageReport| {
            other.message.subscription == subscription && other.message.sequence_number < sequence_number
        };
        found.messages.push(Found {
            older_messages: Some(report.messages.iter().filter(is_older).count()),
            peeked: page.into_iter().find(|message| message.sequence_number == sequence_number),
            subscription,
            message_id: id.clone(),
            sequence_number,
            enqueued_at: of.enqueued_at,
            outcome: Some(of.outcome.clone()),
        });
    }
    if found.messages.is_empty() {
        for subscription in report.subscriptions.iter().filter(|of| !of.to_the_end || of.error.is_some()) {
            match read_on(&peeker, report, subscription, id).await {
                Ok(message) => found.messages.extend(message),
                Err(error) => found.not_read.push(format!("{}: {error}", subscription.name)),
            }
        }
    }
    peeker.close().await;
    found
}

/// Reads on from where the pass stopped, to the message or the end.
async fn read_on<P: Peeker>(
    peeker: &P,
    report: &Report,
    subscription: &SubscriptionReport,
    id: &MessageId,
) -> Result<Option<Found>, PeekError> {
    let name = &subscription.name;
    let of_it = report.messages.iter().filter(|of| of.message.subscription == *name);
    let (mut older, last) = of_it.fold((0, 0), |(count, last), of| (count + 1, last.max(of.message.sequence_number)));
    let (mut from, mut progress) = (last + 1, Progress::new());
    loop {
        let page = peeker.peek(name, from, PAGE).await?;
        // A page that does not ascend is the end.
        let Some(next) = page.iter().map(|message| message.sequence_number + 1).max().filter(|next| *next > from)
        else {
            return Ok(None);
        };
        for message in page {
            if message.message_id.as_ref() == Ok(id) {
                return Ok(Some(Found {
                    subscription: name.clone(),
                    message_id: id.clone(),
                    sequence_number: message.sequence_number,
                    enqueued_at: message.enqueued_at,
                    outcome: None,
                    older_messages: Some(older),
                    peeked: Some(message),
                }));
            }
            older += 1;
        }
        progress.say(older, subscription);
        from = next;
    }
}

/// Shows the progress on a terminal.
struct Progress {
    is_shown: bool,
    has_said: bool,
}

impl Progress {
    fn new() -> Self {
        Self { is_shown: stderr().is_terminal(), has_said: false }
    }

    fn say(&mut self, looked_at: usize, subscription: &SubscriptionReport) {
        if self.is_shown {
            self.has_said = true;
            let of = subscription
                .counts
                .map(|counts| format!(" of {}", Grouped(counts.active_messages)))
                .unwrap_or_default();
            let looked_at = Grouped(looked_at as u64);
            // Progress that cannot be shown is not needed.
            _ = write!(stderr(), "\r{looked_at}{of} messages of {} read", subscription.name);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.has_said {
            _ = writeln!(stderr());
        }
    }
}
