//! How attempts have ended, in the words of outcomes.

use super::groups::KnownGroup;
use super::state::GroupState;
use crate::plan::cause::AttemptEnd;

impl KnownGroup {
    /// How the attempt that it was ended, if it has.
    pub(in crate::plan) fn end(&self) -> AttemptEnd {
        let reason = || self.group.cause();
        match self.state {
            GroupState::Active { .. } => AttemptEnd::default(),
            GroupState::Ended { at, .. } => {
                let ran_out_of_gb = self.group.ran_out_of();
                AttemptEnd { exit_code: self.group.exit_code(), reason: reason(), ran_out_of_gb, since: Some(at) }
            }
            GroupState::Stuck { since } => {
                let reason = reason().unwrap_or_else(|| "it did not start in time".to_owned());
                AttemptEnd { reason: Some(reason), since: Some(since), ..AttemptEnd::default() }
            }
            GroupState::Overran { since } => {
                let reason = "it ran for longer than it may".to_owned();
                AttemptEnd { reason: Some(reason), since: Some(since), ..AttemptEnd::default() }
            }
        }
    }
}
