//! The result of a demonstration.

use std::fmt;
use std::time::Duration;

/// The result of a demonstration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Messages that were sent.
    pub sent: usize,
    /// Messages that workers settled.
    pub served: usize,
    /// Container groups that were created.
    pub created: usize,
    /// Container groups that were deleted.
    pub deleted: usize,
    /// The most container groups that were active at the same time.
    pub most_at_once: usize,
    /// The most that were allowed.
    pub cap: u32,
    /// Passes that the scaler made.
    pub passes: u32,
    /// How long it took.
    pub took: Duration,
    /// What is not done: messages that are still in a subscription, and container groups that still exist.
    pub left: Vec<String>,
}

impl Summary {
    /// Whether every message was served and every container group was deleted.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty() && self.served == self.sent
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, served, created, deleted, most_at_once, cap, passes, took, left } = self;
        writeln!(f, "Messages served:            {served} of {sent}")?;
        writeln!(f, "Container groups created:   {created}, at most {most_at_once} at once (the cap is {cap})")?;
        writeln!(f, "Container groups deleted:   {deleted}")?;
        write!(f, "Passes of the scaler:       {passes}, in {:.1} s all in all", took.as_secs_f64())?;
        if !left.is_empty() {
            write!(f, "\nThis is left:")?;
            left.iter().try_for_each(|left| write!(f, "\n  {left}"))?;
        }
        Ok(())
    }
}
