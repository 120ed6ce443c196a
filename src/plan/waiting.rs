//! Which outcomes leave a message waiting.

use super::decision::MessageOutcome;

impl MessageOutcome {
    /// Whether the message waits for a container group, or for another attempt.
    pub fn waits(&self) -> bool {
        matches!(
            self,
            Self::Finished { .. }
                | Self::Changed { .. }
                | Self::ToBeCreated { .. }
                | Self::Running { reason: Some(_), .. }
                | Self::BackingOff { .. }
                | Self::HeldByBreaker { .. }
                | Self::CreateBackingOff { .. }
                | Self::HeldByFailedCreates { .. }
                | Self::WaitingCapacity
                | Self::WaitingQuota { .. }
                | Self::WaitingDeadline
                | Self::Failed { .. }
        )
    }
}
