//! The moment by which a pass must be over, which a shutdown can bring forward.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The deadline, shared by all clones.
#[derive(Clone, Debug)]
pub struct Deadline(watch::Sender<Instant>);

impl Deadline {
    pub fn after(duration: Duration) -> Self {
        Self(watch::Sender::new(Instant::now() + duration))
    }

    /// Moves the deadline to at most this long from now, and never to a later moment.
    pub(crate) fn shorten_to(&self, duration: Duration) {
        let sooner = Instant::now() + duration;
        self.0.send_if_modified(|at| {
            let shorter = sooner < *at;
            if shorter {
                *at = sooner;
            }
            shorter
        });
    }

    /// The time left; zero once the deadline has passed.
    pub fn remaining(&self) -> Duration {
        self.0.borrow().saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub(crate) fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    pub async fn passed(&self) {
        let mut at = self.0.subscribe();
        while !self.has_passed() {
            let moment = *at.borrow_and_update();
            tokio::select! {
                () = sleep_until(moment) => {}
                _ = at.changed() => {}
            }
        }
    }

    /// Runs `work` to its end, or drops it when the deadline passes first.
    pub async fn limit<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.passed() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_too_long_is_given_up() {
        let deadline = Deadline::after(Duration::from_secs(10));
        assert_eq!(deadline.limit(async { 1 }).await, Some(1));
        assert_eq!(deadline.limit(std::future::pending::<()>()).await, None);
        assert!(deadline.has_passed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_brings_it_forward_for_those_who_wait_already_and_never_puts_it_off() {
        let deadline = Deadline::after(Duration::from_secs(100));
        let waiting = tokio::spawn({
            let deadline = deadline.clone();
            async move { deadline.passed().await }
        });
        tokio::task::yield_now().await;
        let start = Instant::now();
        deadline.shorten_to(Duration::from_secs(5));
        deadline.shorten_to(Duration::from_secs(50));
        waiting.await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }
}
