//! Peeks one subscription, for a limited time.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::message::{PeekedMessage, SubscriptionName};
use crate::services::{PeekError, Peeker};

/// Sequence numbers start at 1.
pub(super) const FIRST_SEQUENCE_NUMBER: i64 = 1;

pub(super) struct TimedPeeker<'a, P> {
    peeker: &'a P,
    pub(super) subscription: &'a SubscriptionName,
    limit: Duration,
    /// What the subscription's own answers took. That it had to wait for the groups is not counted.
    spent: Duration,
}

impl<'a, P: Peeker> TimedPeeker<'a, P> {
    pub(super) fn new(peeker: &'a P, subscription: &'a SubscriptionName, limit: Duration) -> Self {
        Self { peeker, subscription, limit, spent: Duration::ZERO }
    }

    pub(super) async fn peek(&mut self, from: i64, count: u32) -> Result<Vec<PeekedMessage>, PeekError> {
        let start = Instant::now();
        let answer = self.peeker.peek(self.subscription, from, count);
        let page = timeout(self.limit.saturating_sub(self.spent), answer).await;
        self.spent += start.elapsed();
        page.unwrap_or(Err(PeekError::TimedOut { after: self.limit }))
    }

    /// Adds a page, and returns the last sequence number of it unless the page was empty.
    pub(super) async fn next_page(
        &mut self,
        from: i64,
        count: u32,
        messages: &mut Vec<PeekedMessage>,
    ) -> Result<Option<i64>, PeekError> {
        let page = self.peek(from, count).await?;
        let Some(last) = page.iter().map(|message| message.sequence_number).max() else { return Ok(None) };
        if last < from {
            let reason = format!("asked for messages from {from} on, it answers with {last} and before");
            return Err(PeekError::Unavailable { reason: reason.into() });
        }
        messages.extend(page.into_iter().filter(|message| message.sequence_number >= from));
        Ok(Some(last))
    }
}
