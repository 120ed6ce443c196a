//! Fires timers (azure-webjobs-sdk-extensions, `TimerListener.cs`).
//!
//! A timer never overlaps itself. A run that takes longer than the interval is followed at once by exactly one other. A
//! monitored timer whose time passed while no host was running fires once when the next one starts, past due.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;
use tokio::time::sleep;

use super::app::Function;
use super::records::Level;
use super::request::Invocation;
use super::status::{ScheduleStatus, StatusFile};
use super::{Shared, client::Outcome};
use crate::clock;

/// The category of the host's lines about timers.
const TIMERS: &str = "Host.Triggers.Timers";

/// The clock of the timers.
#[derive(Clone, Debug)]
pub struct TimerClock(Option<watch::Sender<OffsetDateTime>>);

impl TimerClock {
    /// The system's.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until a test moves it. Clones share it.
    pub fn manual(now: OffsetDateTime) -> Self {
        Self(Some(watch::Sender::new(now)))
    }

    /// Moves a manual clock on.
    pub fn advance(&self, by: time::Duration) {
        if let Some(now) = &self.0 {
            now.send_modify(|now| *now += by);
        }
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.0.as_ref().map_or_else(clock::now, |now| *now.borrow())
    }

    async fn reach(&self, at: OffsetDateTime) {
        match &self.0 {
            Some(now) => _ = now.subscribe().wait_for(|now| *now >= at).await,
            // A negative duration is not a `std` duration: then the timer is due.
            None => sleep((at - clock::now()).try_into().unwrap_or_default()).await,
        }
    }
}

/// A timer that has been started.
pub(super) struct Timer {
    function: Function,
    /// Where its status is kept, if it is monitored, and what that is.
    monitor: Option<(StatusFile, ScheduleStatus)>,
    next: Option<OffsetDateTime>,
    first: Option<First>,
}

/// Why it fires as soon as the host starts.
enum First {
    PastDue,
    OnStartup,
}

impl Timer {
    /// Finds out when the timer is due; nothing if it cannot be started.
    pub(super) async fn start(function: &Function, shared: &Shared) -> Option<Self> {
        let now = shared.clock.now();
        let mut timer = Self {
            function: function.clone(),
            monitor: None,
            next: function.schedule.next(now),
            first: function.run_on_startup.then_some(First::OnStartup),
        };
        if function.use_monitor && !function.schedule.is_finer_than_a_minute(now) {
            let file = StatusFile::new(&shared.state_folder, &function.name);
            let status = match file.load().await {
                Ok(Some(status)) => timer.check(status, now),
                Ok(None) => timer.next.map(|next| ScheduleStatus { last: None, next, last_updated: now }),
                Err(error) => {
                    let message = format!("The listener for function '{}' was unable to start: {error}", function.name);
                    shared.records.add(Level::Error, TIMERS, message);
                    return None;
                }
            };
            timer.monitor = status.map(|status| (file, status));
            timer.save(shared).await;
        }
        Some(timer)
    }

    /// The last status. If the schedule was changed since, the next time is another one.
    fn check(&mut self, mut status: ScheduleStatus, now: OffsetDateTime) -> Option<ScheduleStatus> {
        status.next = self.function.schedule.next(status.last.unwrap_or(status.last_updated))?;
        if now > status.next {
            self.first = Some(First::PastDue);
        }
        Some(status)
    }

    /// Fires until `closing` is true or the host is shut down.
    pub(super) async fn run(mut self, shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
        if let Some(first) = self.first.take() {
            self.fire(&shared, matches!(first, First::PastDue)).await;
        }
        while let Some(next) = self.next {
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return,
                () = shared.clock.reach(next) => {}
            }
            if shared.is_shut_down() {
                return;
            }
            self.fire(&shared, false).await;
        }
    }

    async fn fire(&mut self, shared: &Shared, is_past_due: bool) {
        let now = shared.clock.now();
        let status = self.monitor.as_ref().map(|(_, status)| *status);
        let mut invocation = invocation(&self.function, status, is_past_due, now);
        invocation.framing = shared.framing;
        invocation.reason = format!("Timer fired at {}", rfc3339(now));
        let outcome = shared.invoke(&invocation).await;
        self.next = self.function.schedule.next(now);
        // A host that ends during a run does not know that it ran: it is past due when the host starts again.
        if shared.is_shut_down() && !matches!(outcome, Outcome::Succeeded { .. }) {
            return;
        }
        if let (Some((_, status)), Some(next)) = (&mut self.monitor, self.next) {
            *status = ScheduleStatus { last: Some(now), next, last_updated: now };
        }
        self.save(shared).await;
    }

    async fn save(&self, shared: &Shared) {
        if let Some((file, status)) = &self.monitor
            && let Err(error) = file.save(*status).await
        {
            shared.records.add(
                Level::Error,
                TIMERS,
                format!("The status of '{}' is not kept: {error}", self.function.name),
            );
        }
    }
}

/// What the host sends when a timer fires.
pub(super) fn invocation(
    function: &Function,
    status: Option<ScheduleStatus>,
    is_past_due: bool,
    now: OffsetDateTime,
) -> Invocation {
    let timer = json!({
        "Schedule": { "AdjustForDST": function.schedule.adjusts_for_dst() },
        "ScheduleStatus": status.map_or(Value::Null, ScheduleStatus::to_json),
        "IsPastDue": is_past_due,
    });
    Invocation::of_timer(&function.name, &function.binding, &timer, &rfc3339(now))
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
