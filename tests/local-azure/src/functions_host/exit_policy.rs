//! What the host does when a handler's process ends (azure-functions-host, `HttpFunctionInvocationDispatcher.cs`).

use std::time::Duration;

use tokio::time::Instant;

/// The exit code by which a handler asks for a restart.
const INTENTIONAL_RESTART: i32 = 200;
/// The error at which the host gives up.
const ERRORS_AT_MOST: usize = 3;
/// An error this long after the one before begins a new count.
const ERROR_WINDOW: Duration = Duration::from_mins(30);

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing. The host goes on believing that the handler runs.
    LeaveDead,
    /// Another process, at once.
    Restart,
    /// The host shuts down.
    ShutDown,
}

/// Counts a host's errors.
#[derive(Debug, Default)]
pub(super) struct ExitPolicy {
    errors: usize,
    last: Option<Instant>,
}

impl ExitPolicy {
    /// A process ended with this code; nothing if it was by a signal.
    pub(super) fn exited(&mut self, code: Option<i32>, at: Instant) -> Next {
        match code {
            Some(0) => Next::LeaveDead,
            Some(INTENTIONAL_RESTART) => Next::Restart,
            _ => self.failed(at),
        }
    }

    /// A process died, or was not ready in time.
    pub(super) fn failed(&mut self, at: Instant) -> Next {
        let is_recent = self.last.is_some_and(|last| at - last < ERROR_WINDOW);
        self.errors = if is_recent { self.errors + 1 } else { 1 };
        self.last = Some(at);
        if self.errors < ERRORS_AT_MOST { Next::Restart } else { Next::ShutDown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_third_error_in_a_row_ends_the_host() {
        let (mut policy, start) = (ExitPolicy::default(), Instant::now());
        assert_eq!(policy.exited(Some(1), start), Next::Restart);
        assert_eq!(policy.exited(None, start + 29 * MINUTE), Next::Restart);
        assert_eq!(policy.exited(Some(137), start + 58 * MINUTE), Next::ShutDown);
    }

    #[test]
    fn errors_half_an_hour_apart_never_do() {
        let (mut policy, start) = (ExitPolicy::default(), Instant::now());
        for count in 0..10 {
            assert_eq!(policy.exited(Some(1), start + count * 30 * MINUTE), Next::Restart);
        }
    }

    #[test]
    fn an_end_that_is_meant_does_not_count() {
        let (mut policy, start) = (ExitPolicy::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(policy.exited(Some(200), start), Next::Restart);
            assert_eq!(policy.exited(Some(0), start), Next::LeaveDead);
        }
    }
}
