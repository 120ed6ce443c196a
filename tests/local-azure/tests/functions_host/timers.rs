//! When timers fire, and what they send.

use local_azure::functions_host::{FunctionsHost, HostConfig, LogRecord, Outcome, TimerClock};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::app::{SOON, odd_settings, timer_app};

const START: OffsetDateTime = datetime!(2026-09-24 13:08:30 UTC);

struct TimerHost {
    host: FunctionsHost,
    records: mpsc::UnboundedReceiver<LogRecord>,
}

async fn start(app: &TempDir, state: &TempDir, clock: &TimerClock, settings: &[(&str, &str)]) -> TimerHost {
    let mut config = HostConfig::new(app.path(), odd_settings(settings), state.path());
    config.timers = true;
    config.clock = clock.clone();
    let host = FunctionsHost::start(config).await.unwrap();
    TimerHost { records: host.records().follow(), host }
}

impl TimerHost {
    /// Waits for the next record that contains this text.
    async fn record(&mut self, text: &str) -> LogRecord {
        let found = async {
            loop {
                let record = self.records.recv().await.expect("the host lives");
                if record.message.contains(text) {
                    return record;
                }
            }
        };
        timeout(SOON, found).await.unwrap_or_else(|_| panic!("no record says {text}: {:#?}", self.host.records().all()))
    }

    /// Waits for the timer to fire, and returns what it sent.
    async fn fired(&mut self) -> Value {
        self.record("Timer fired at").await;
        let echo = self.record("echo of the body").await.message;
        serde_json::from_str::<Value>(echo.split_once(": ").unwrap().1).unwrap()["Data"]["tick"].clone()
    }

    fn runs(&self) -> usize {
        self.host.records().all().iter().filter(|record| record.message.starts_with("Executing ")).count()
    }
}

fn every_minute() -> TempDir {
    timer_app(&json!({ "schedule": "0 * * * * *" }))
}

#[tokio::test]
async fn a_timer_fires_when_it_is_due_and_says_when_it_last_did() {
    let (app, state, clock) = (every_minute(), tempfile::tempdir().unwrap(), TimerClock::manual(START));
    let mut host = start(&app, &state, &clock, &[]).await;
    clock.advance(Duration::seconds(31));
    let first = json!({
        "Last": "0001-01-01T00:00:00",
        "Next": "2026-09-24T13:09:00+00:00",
        "LastUpdated": "2026-09-24T13:08:30+00:00",
    });
    assert_eq!(
        host.fired().await,
        json!({ "Schedule": { "AdjustForDST": true }, "ScheduleStatus": first, "IsPastDue": false })
    );
    host.record("Executed 'Functions.Tick' (Succeeded").await;
    clock.advance(Duration::MINUTE);
    let second = json!({
        "Last": "2026-09-24T13:09:01+00:00",
        "Next": "2026-09-24T13:10:00+00:00",
        "LastUpdated": "2026-09-24T13:09:01+00:00",
    });
    assert_eq!(host.fired().await["ScheduleStatus"], second);
    host.host.stop().await;
}

#[tokio::test]
async fn a_run_that_takes_longer_than_the_interval_is_followed_by_exactly_one_other() {
    let (app, state, clock) = (every_minute(), tempfile::tempdir().unwrap(), TimerClock::manual(START));
    let settings = [("ODD_ANSWER", "hang"), ("AzureFunctionsJobHost__functionTimeout", "00:00:01")];
    let mut host = start(&app, &state, &clock, &settings).await;
    clock.advance(Duration::seconds(30));
    host.record("Executing ").await;
    clock.advance(Duration::minutes(5));
    host.record("Timeout value").await;
    assert_eq!(host.runs(), 1, "it does not overlap itself");
    host.record("Timer fired at 2026-09-24T13:14:00Z").await;
    host.record("Timeout value").await;
    host.record("odd-handler listens").await;
    assert_eq!(host.runs(), 2);
}

#[tokio::test]
async fn a_time_that_passed_while_no_host_ran_is_past_due_once() {
    let (app, state, clock) = (every_minute(), tempfile::tempdir().unwrap(), TimerClock::manual(START));
    let mut host = start(&app, &state, &clock, &[]).await;
    clock.advance(Duration::seconds(30));
    host.fired().await;
    host.record("Executed").await;
    host.host.stop().await;

    clock.advance(Duration::minutes(10));
    let mut host = start(&app, &state, &clock, &[]).await;
    let timer = host.fired().await;
    assert_eq!(timer["IsPastDue"], true);
    assert_eq!(timer["ScheduleStatus"]["Next"], "2026-09-24T13:10:00+00:00", "the first that was missed");
    clock.advance(Duration::MINUTE);
    assert_eq!(host.fired().await["IsPastDue"], false);
    assert_eq!(host.runs(), 2);
}

#[tokio::test]
async fn a_host_that_dies_with_its_run_in_hand_repeats_it_when_it_starts_again() {
    let (app, state, clock) = (every_minute(), tempfile::tempdir().unwrap(), TimerClock::manual(START));
    let mut host = start(&app, &state, &clock, &[("ODD_ANSWER", "hang")]).await;
    clock.advance(Duration::seconds(30));
    host.record("Executing ").await;
    drop(host);

    clock.advance(Duration::seconds(10));
    let mut host = start(&app, &state, &clock, &[]).await;
    let timer = host.fired().await;
    assert_eq!((&timer["IsPastDue"], &timer["ScheduleStatus"]["Last"]), (&json!(true), &json!("0001-01-01T00:00:00")));
}

#[tokio::test]
async fn a_timer_that_is_not_monitored_or_fires_too_often_has_no_status() {
    for timer in [json!({ "schedule": "0 * * * * *", "useMonitor": false }), json!({ "schedule": "*/30 * * * * *" })] {
        let (app, state, clock) = (timer_app(&timer), tempfile::tempdir().unwrap(), TimerClock::manual(START));
        let mut host = start(&app, &state, &clock, &[]).await;
        clock.advance(Duration::seconds(30));
        assert_eq!(host.fired().await["ScheduleStatus"], Value::Null);
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_timer_can_fire_when_the_host_starts() {
    let app = timer_app(&json!({ "schedule": "0 * * * * *", "runOnStartup": true }));
    let mut host = start(&app, &tempfile::tempdir().unwrap(), &TimerClock::manual(START), &[]).await;
    assert_eq!(host.fired().await["IsPastDue"], false);
}

#[tokio::test]
async fn a_disabled_timer_never_fires_and_can_still_be_run_by_hand() {
    let app = timer_app(&json!({ "schedule": "0 * * * * *", "runOnStartup": true }));
    let (state, clock) = (tempfile::tempdir().unwrap(), TimerClock::manual(START));
    let host = start(&app, &state, &clock, &[("AzureWebJobs.Tick.Disabled", "true")]).await;
    clock.advance(Duration::minutes(5));
    let by_hand = host.host.invocation("Tick").await.unwrap();
    assert!(matches!(host.host.invoke(&by_hand).await, Outcome::Succeeded { .. }));
    assert_eq!(host.runs(), 1);
}
