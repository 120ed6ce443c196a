//! How a container ended.

use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerState as EngineState;
use bollard::query_parameters::{InspectContainerOptions, WaitContainerOptions};
use futures_util::StreamExt as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use super::connect::is_missing;
use crate::clock;
use crate::container_groups::Exit;

/// The exit code of a container that somebody else removed: killed.
const KILLED: Exit = Exit::Code(137);
/// The wait before asking again an engine that did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// When and how a container ended.
pub(super) struct Ended {
    pub(super) started: Option<OffsetDateTime>,
    pub(super) finished: OffsetDateTime,
    pub(super) exit: Exit,
}

/// Waits for a container that was started to exit. An engine that is restarted meanwhile is waited for.
pub(super) async fn wait(docker: &Docker, id: &str) -> Ended {
    loop {
        // Its answer does not matter, because the container's state says more.
        _ = docker.wait_container(id, None::<WaitContainerOptions>).next().await;
        match docker.inspect_container(id, None::<InspectContainerOptions>).await {
            Ok(container) => {
                if let Some(ended) = container.state.as_ref().and_then(ended) {
                    return ended;
                }
            }
            Err(error) if is_missing(&error) => {
                return Ended { started: None, finished: clock::now(), exit: KILLED };
            }
            Err(_) => {}
        }
        sleep(AGAIN).await;
    }
}

fn ended(state: &EngineState) -> Option<Ended> {
    if state.running.unwrap_or_default() {
        return None;
    }
    let code = state.exit_code.and_then(|code| i32::try_from(code).ok())?;
    // A container whose first process is out of memory dies; if it is another process, the container may go on.
    let ran_out = state.oom_killed.unwrap_or_default() && KILLED == Exit::Code(code);
    let finished = state.finished_at.as_deref().and_then(time_of).unwrap_or_else(clock::now);
    let exit = if ran_out { Exit::OutOfMemory } else { Exit::Code(code) };
    // For a container that exits at once, some engines note the exit first.
    let started = state.started_at.as_deref().and_then(time_of).map(|started| started.min(finished));
    Some(Ended { started, finished, exit })
}

/// A time as the engine writes it; for what has not happened that is the year 1.
pub(super) fn time_of(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().filter(|time| time.year() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(code: i64, oom: bool) -> EngineState {
        EngineState {
            running: Some(false),
            exit_code: Some(code),
            oom_killed: Some(oom),
            started_at: Some("2026-11-30T22:41:36.5Z".to_owned()),
            finished_at: Some("0001-01-01T00:00:00Z".to_owned()),
            ..EngineState::default()
        }
    }

    #[test]
    fn only_one_that_was_killed_for_its_memory_is_out_of_it() {
        for (code, oom, exit) in [
            (137, true, Exit::OutOfMemory),
            (137, false, Exit::Code(137)),
            (0, true, Exit::Code(0)),
            (3, false, Exit::Code(3)),
        ] {
            assert_eq!(ended(&state(code, oom)).unwrap().exit, exit);
        }
        assert!(ended(&EngineState { running: Some(true), ..state(0, false) }).is_none());
    }

    #[test]
    fn no_container_starts_after_its_end() {
        let finished_at = Some("2026-11-30T22:41:36.4Z".to_owned());
        let ended = ended(&EngineState { finished_at, ..state(0, false) }).unwrap();
        assert_eq!(ended.started, Some(ended.finished));
    }

    #[test]
    fn a_time_that_the_engine_does_not_know_is_none() {
        let ended = ended(&state(0, false)).unwrap();
        assert!(ended.started.is_some() && ended.finished.year() > 2000);
    }
}
