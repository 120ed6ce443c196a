//! Peeks one subscription, for a limited time.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::message::{PeekedMessage, SubscriptionName};
use crate::services::{PeekError, Peeker};

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

    pub(super) fn has_spent_half(&self) -> bool {
        self.spent >= self.limit / 2
    }
}
