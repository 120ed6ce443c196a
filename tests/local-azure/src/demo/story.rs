//! Lines for people, each with the time since the beginning.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// Reports what happens, line by line, to a receiver.
pub struct Story {
    beginning: Instant,
    tell: Box<dyn Fn(&str) + Send + Sync>,
}

impl Story {
    /// A story that begins now.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { beginning: Instant::now(), tell: Box::new(tell) }
    }

    /// Reports what somebody did, or what happened.
    pub fn tell(&self, who: &str, text: &str) {
        (self.tell)(&format!("{:5.1} s  {who:<8} {text}", self.elapsed().as_secs_f64()));
    }

    /// The time since it began.
    pub fn elapsed(&self) -> Duration {
        self.beginning.elapsed()
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").field("beginning", &self.beginning).finish_non_exhaustive()
    }
}
