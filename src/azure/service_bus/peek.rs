//! Peeking the subscriptions of a topic over one connection.
//!
//! It receives, locks and settles nothing. A peek ends within its time-out and is cancel-safe. A failure of one subscription
//! does not affect the others, even if it costs their shared connection; only a busy namespace stops the peeks of all.

use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::failure::{BUSY_PAUSE, Failure};
use super::topic_links::TopicLinks;
use super::{Kept, Namespace, decode};
use crate::message::{PeekedMessage, SubscriptionName};
use crate::services::{PeekError, Peeker};
use crate::sync::Mutex;

/// How often the shared connection is opened again. A short failure takes one; a subscription for which the service drops
/// the connection takes two, and is then left to the next pass.
const MAX_RECONNECTS: u32 = 6;

/// The part of a peek's time that a kept connection gets: enough for an answer, and most remains for a new connection.
const KEPT_SHARE: u32 = 4;

/// Peeks over one connection, which is replaced when it is lost.
#[derive(Debug)]
pub struct ServiceBusPeeker {
    namespace: Namespace,
    kept: Kept,
    familiar: Vec<SubscriptionName>,
    shared: tokio::sync::Mutex<Shared>,
    busy_until: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Shared {
    links: Arc<TopicLinks>,
    reconnects_left: u32,
}

impl ServiceBusPeeker {
    pub(super) fn new(namespace: Namespace, links: TopicLinks, kept: Kept) -> Self {
        let familiar = links.subscriptions().into_iter().map(SubscriptionName::new).collect();
        let shared = Shared { links: links.into(), reconnects_left: MAX_RECONNECTS };
        Self { namespace, kept, familiar, shared: shared.into(), busy_until: Mutex::default() }
    }

    /// Peeks, and handles failures that can be handled at once.
    async fn peek_with_retries(&self, subscription: &str, from: i64, count: u32) -> Result<Vec<u8>, PeekError> {
        let mut count = count.max(1);
        let (mut asked_for_less, mut authorized_again, mut attached_again) = (false, false, false);
        let mut connections_lost = 0;
        let mut links = self.shared_links().await?;
        loop {
            self.refuse_while_busy()?;
            let failure = match self.peek_once(&links, subscription, from, count).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            tracing::debug!(subscription, from, count, ?failure, "a peek failed");
            match failure {
                // The subscription, its links or its token may have changed since the last pass.
                Failure::Unauthorized(_)
                | Failure::Misconfigured(_)
                | Failure::LinkLost(_)
                | Failure::ConnectionLost(_)
                | Failure::Garbled(_)
                    if links.were_kept() =>
                {
                    links.give_up();
                    links = self.shared_links().await?;
                }
                Failure::Busy => {
                    *self.busy_until.lock() = Some(Instant::now() + BUSY_PAUSE);
                    return Err(failure.into());
                }
                Failure::ServerTimeout(_) if !asked_for_less => {
                    asked_for_less = true;
                    count = count.div_ceil(2);
                }
                Failure::ReplyTooLarge if count > 1 => count /= 2,
                Failure::Unauthorized(_) if !authorized_again => {
                    authorized_again = true;
                    links.authorize_again(subscription).await;
                }
                Failure::LinkLost(_) if !attached_again => attached_again = true,
                Failure::ConnectionLost(_) => {
                    connections_lost += 1;
                    links = match connections_lost {
                        1 => self.shared_links().await?,
                        // Another subscription's peek may cost the connection every time: use a separate one.
                        2 => Arc::new(TopicLinks::open(&self.namespace).await?),
                        _ => return Err(failure.into()),
                    };
                }
                _ => return Err(failure.into()),
            }
        }
    }

    async fn peek_once(
        &self,
        links: &TopicLinks,
        subscription: &str,
        from: i64,
        count: u32,
    ) -> Result<Vec<u8>, Failure> {
        let patience = self.namespace.peek_timeout / if links.were_kept() { KEPT_SHARE } else { 1 };
        let peeked = timeout(patience, links.peek(subscription, from, count, patience)).await;
        peeked.unwrap_or_else(|_| Err(Failure::LinkLost("there was no answer".into())))
    }

    fn refuse_while_busy(&self) -> Result<(), PeekError> {
        let busy_until = *self.busy_until.lock();
        match busy_until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(retry_after) if !retry_after.is_zero() => Err(PeekError::Busy { retry_after }),
            _ => Ok(()),
        }
    }

    /// The shared connection, opened again if it was lost.
    async fn shared_links(&self) -> Result<Arc<TopicLinks>, PeekError> {
        let mut shared = self.shared.lock().await;
        if shared.links.are_lost() {
            if shared.reconnects_left == 0 {
                return Err(PeekError::Unavailable { reason: "the connection was lost too often".into() });
            }
            shared.reconnects_left -= 1;
            match self.namespace.open().await {
                Ok(links) => shared.links = Arc::new(links),
                Err(failure) => {
                    // If the service cannot be reached now, the next pass tries again.
                    shared.reconnects_left = 0;
                    return Err(failure.into());
                }
            }
        }
        Ok(Arc::clone(&shared.links))
    }
}

impl Peeker for ServiceBusPeeker {
    fn familiar(&self) -> Vec<SubscriptionName> {
        self.familiar.clone()
    }

    async fn peek(
        &self,
        subscription: &SubscriptionName,
        from_sequence_number: i64,
        count: u32,
    ) -> Result<Vec<PeekedMessage>, PeekError> {
        let peeking = self.peek_with_retries(subscription.as_str(), from_sequence_number, count);
        let after = self.namespace.peek_timeout;
        let body = timeout(after, peeking).await.map_err(|_| PeekError::TimedOut { after })??;
        page(&body).map_err(|reason| PeekError::Unavailable { reason: reason.into() })
    }

    async fn close(self) {
        let Some(mut links) = Arc::into_inner(self.shared.into_inner().links) else { return };
        if links.may_be_kept() {
            // Overlapping passes each keep one.
            match self.kept.replace(Some(links)) {
                Some(other) => links = other,
                None => return,
            }
        }
        links.close().await;
    }
}

/// The messages of a reply, in order, each once. The caller checks whether they are the requested ones.
///
/// # Errors
/// If there are messages but none with a number: an empty page would mean that there are no more.
pub(super) fn page(body: &[u8]) -> Result<Vec<PeekedMessage>, String> {
    let encoded = decode::messages_of_reply(body)?;
    let mut messages: Vec<PeekedMessage> = encoded.iter().filter_map(|encoded| decode::message(encoded)).collect();
    let unreadable = encoded.len() - messages.len();
    if messages.is_empty() && !encoded.is_empty() {
        return Err(format!("of {} messages none has a sequence number", encoded.len()));
    }
    if unreadable > 0 {
        tracing::warn!(event = "no_sequence_number", unreadable, "messages without a sequence number are skipped");
    }
    messages.sort_by_key(|message| message.sequence_number);
    messages.dedup_by_key(|message| message.sequence_number);
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use serde_amqp::described::Described;
    use serde_amqp::descriptor::Descriptor;
    use serde_amqp::primitives::{Binary, OrderedMap, Symbol};
    use serde_amqp::{Value, to_vec};

    use super::*;

    fn map(key: Value, value: Value) -> Value {
        Value::Map(OrderedMap::from_iter([(key, value)]))
    }

    fn annotated(sequence_number: Value) -> Vec<u8> {
        let annotations = map(Value::Symbol(Symbol::from("x-opt-sequence-number")), sequence_number);
        let section = Described { descriptor: Descriptor::Code(0x72), value: annotations };
        to_vec(&Value::Described(Box::new(section))).unwrap()
    }

    fn reply(messages: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
        let entry = |message| map(Value::String("message".into()), Value::Binary(Binary::from(message)));
        let messages = Value::List(messages.into_iter().map(entry).collect());
        to_vec(&map(Value::String("messages".into()), messages)).unwrap()
    }

    fn numbers(messages: impl IntoIterator<Item = Vec<u8>>) -> Result<Vec<i64>, String> {
        let page = page(&reply(messages))?;
        Ok(page.iter().map(|message| message.sequence_number).collect())
    }

    fn numbered(numbers: &[i64]) -> Vec<Vec<u8>> {
        numbers.iter().map(|number| annotated(Value::Long(*number))).collect()
    }

    #[test]
    fn a_page_is_in_order_and_shows_each_message_once() {
        assert_eq!(numbers(numbered(&[5, 3, 5, 4])), Ok(vec![3, 4, 5]));
        assert_eq!(numbers(numbered(&[])), Ok(vec![]));
    }

    #[test]
    fn a_page_of_messages_without_numbers_is_not_taken_for_the_end() {
        assert!(numbers([annotated(Value::Bool(true))]).is_err());
    }

    #[test]
    fn a_message_without_a_number_hides_no_other() {
        let messages = [annotated(Value::Null), annotated(Value::Long(8)), b"garbage".to_vec()];
        assert_eq!(numbers(messages), Ok(vec![8]));
    }
}
