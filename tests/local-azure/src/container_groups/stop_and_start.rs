//! Stopping, starting and restarting a container group.
//!
//! Inferred: a stopped group starts as if it were deployed again; stopping a group that is stopped or has finished changes
//! nothing; all three are refused while another operation is under way. The contract gives only the statuses
//! (`ContainerGroups_Stop`, `_Start` and `_Restart` of api-version 2023-05-01).

use tracing::info;
use uuid::Uuid;

use super::ContainerGroups;
use super::group::{Content, Phase};
use super::refused::Transitioning;
use super::state::key;
use super::worker::Exit;

/// The result of a request to start or restart a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// There is no such group.
    NoGroup,
    /// There was nothing to do.
    Already,
    /// It has begun; this is the id of the operation.
    Begun(String),
}

impl ContainerGroups {
    /// Ends a group's run and keeps the group. False when there is no such group.
    pub(crate) fn halt(&self, resource_group: &str, name: &str) -> Result<bool, Transitioning> {
        let mut state = self.state();
        let key = key(resource_group, name);
        let Some(phase) = state.phase_at_rest(&key)? else { return Ok(false) };
        if !phase.is_over() {
            state.finish(&key, Exit::Stopped);
        }
        drop(state);
        self.changed();
        Ok(true)
    }

    /// Runs a group again that has been stopped or has finished.
    pub(crate) fn start(&self, resource_group: &str, name: &str) -> Result<Started, Transitioning> {
        self.run_again(resource_group, name, Phase::is_over)
    }

    /// Runs a group again, whatever it does.
    pub(crate) fn restart(&self, resource_group: &str, name: &str) -> Result<Started, Transitioning> {
        self.run_again(resource_group, name, |_| true)
    }

    fn run_again(
        &self,
        resource_group: &str,
        name: &str,
        is_wanted: impl Fn(Phase) -> bool,
    ) -> Result<Started, Transitioning> {
        let key = key(resource_group, name);
        let mut state = self.state();
        let Some(phase) = state.phase_at_rest(&key)? else { return Ok(Started::NoGroup) };
        let spec = state.groups.get(&key).and_then(|group| match &group.content {
            Content::Spec(spec) => Some((spec.clone(), group.asked_tags.clone())),
            Content::Planted(_) => None,
        });
        let Some(spec) = spec.filter(|_| is_wanted(phase)) else { return Ok(Started::Already) };
        info!(group = name, "a container group is started again");
        let operation = Uuid::new_v4().to_string();
        self.deploy(&mut state, key, (resource_group, name), spec, operation.clone());
        drop(state);
        self.changed();
        Ok(Started::Begun(operation))
    }
}
