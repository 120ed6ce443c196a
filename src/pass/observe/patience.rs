//! How long a pass waits for answers: a subscription or a group that hangs must not hold up the rest.
//!
//! * Once one read has succeeded, and no other has answered for [`GRACE`], the pass gives up on those that are left.
//! * What the last pass gave up on gets only [`SHORT`], and its full time in every [`FULL_EVERY`]th pass, until it answers.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::sync::Mutex;

/// Long enough for an answer that takes ten times as long as usual.
const GRACE: Duration = Duration::from_secs(2);

/// What hung before answers within this time once it works again.
const SHORT: Duration = Duration::from_millis(500);

/// At a pass every 15 s, once a minute.
const FULL_EVERY: u32 = 4;

/// What did not answer, and in how many passes in a row. It is kept from pass to pass.
#[derive(Debug)]
pub(in crate::pass) struct Hanging<K>(Mutex<HashMap<K, u32>>);

/// The reads of a pass.
pub(super) struct Patience<'a, K> {
    hanging: &'a Hanging<K>,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy)]
struct Progress {
    some_are_read: bool,
    last_at: Instant,
}

impl<K> Default for Hanging<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<'a, K: Clone + Eq + Hash> Patience<'a, K> {
    pub(super) fn new(hanging: &'a Hanging<K>) -> Self {
        Self { hanging, progress: watch::Sender::new(Progress { some_are_read: false, last_at: Instant::now() }) }
    }

    /// How much of the full time to wait for this one.
    pub(super) fn limit(&self, of: &K, full: Duration) -> Duration {
        match self.hanging.0.lock().get(of) {
            Some(passes) if !passes.is_multiple_of(FULL_EVERY) => full.min(SHORT),
            _ => full,
        }
    }

    /// The answer, or nothing if it does not come within the limit, or not while others are read.
    pub(super) async fn wait<F: Future>(&self, limit: Duration, answer: F) -> Option<F::Output> {
        let answer = async {
            tokio::pin!(answer);
            // Only a slow answer depends on the others.
            if let Ok(output) = timeout(GRACE, &mut answer).await {
                return Some(output);
            }
            tokio::select! {
                output = &mut answer => Some(output),
                () = self.all_others_are_read() => None,
            }
        };
        let output = timeout(limit, answer).await.ok().flatten();
        if output.is_some() {
            self.progress.send_modify(|progress| progress.last_at = Instant::now());
        }
        output
    }

    async fn all_others_are_read(&self) {
        let mut progress = self.progress.subscribe();
        loop {
            let Progress { some_are_read, last_at } = *progress.borrow_and_update();
            let changed = progress.changed();
            if !some_are_read {
                _ = changed.await;
            } else if timeout_at(last_at + GRACE, changed).await.is_err() {
                return;
            }
        }
    }

    /// Notes whether it answered, or the pass gave up on it.
    pub(super) fn ended(&self, of: &K, answered: bool) {
        let mut hanging = self.hanging.0.lock();
        if answered {
            hanging.remove(of);
            self.progress.send_replace(Progress { some_are_read: true, last_at: Instant::now() });
        } else {
            *hanging.entry(of.clone()).or_default() += 1;
        }
    }
}
