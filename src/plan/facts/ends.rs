//! How attempts ended, as outcomes report it.

use super::groups::KnownGroup;
use super::state::GroupState;
use crate::plan::cause::AttemptEnd;

impl KnownGroup {
    /// How its attempt ended, if it has ended.
    pub(in crate::plan) fn end(&self) -> AttemptEnd {
        let reason = || self.group.cause();
        match self.state {
            GroupState::Active { .. } => AttemptEnd::default(),
            GroupState::Ended { at, .. } => {
                let ran_out_of_gb = self.group.ran_out_of();
                AttemptEnd { exit_code: self.group.exit_code(), reason: reason(), ran_out_of_gb, since: Some(at) }
            }
            GroupState::Stuck { since } => {
                let reason =
                    reason().unwrap_or_else(|| "it did not start within ACI_PROVISIONING_TIMEOUT_MINUTES".to_owned());
                AttemptEnd { reason: Some(reason), since: Some(since), ..AttemptEnd::default() }
            }
            GroupState::Overran { since } => {
                let reason = "it ran for longer than ACI_MAX_RUNTIME_MINUTES".to_owned();
                AttemptEnd { reason: Some(reason), since: Some(since), ..AttemptEnd::default() }
            }
        }
    }
}
