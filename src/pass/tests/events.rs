//! The events that passes log: each problem once, when it begins, with its cause.

use std::io;
use std::sync::atomic::AtomicI64;

use serde_json::Value;
use tracing::subscriber::{DefaultGuard, set_default};

use super::*;
use crate::container_group::{ContainerEvent, ContainerGroup, ContainerState, GroupName, GroupSize, Ownership};
use crate::telemetry::{self, LogFormat};

/// A scaler with a clock that can be set, and its log.
struct Stage {
    scaler: FakeScaler,
    calls: Calls,
    seconds: Arc<AtomicI64>,
    log: Log,
    _guard: DefaultGuard,
}

impl Stage {
    fn new(messages: Vec<crate::message::PeekedMessage>, change: impl FnOnce(&mut Settings)) -> Self {
        let (mut scaler, calls) = scaler([("a", messages)], |settings| {
            settings.processing.skip_subscriptions.clear();
            change(settings);
        });
        let seconds = Arc::new(AtomicI64::new(0));
        let clock = seconds.clone();
        scaler.clock = Clock::from_fn(move || NOW + time::Duration::seconds(clock.load(Ordering::Relaxed)));
        test_support::log::keep_every_event();
        let log = Log::default();
        let [out, err] = [log.clone(), log.clone()].map(|log| move || log.clone());
        let guard = set_default(telemetry::subscriber("info", LogFormat::Json, out, err).unwrap());
        Self { scaler, calls, seconds, log, _guard: guard }
    }

    /// The events of a pass this many seconds after the start.
    async fn pass_at(&self, seconds: i64) -> Vec<Value> {
        self.seconds.store(seconds, Ordering::Relaxed);
        let report = pass(&self.scaler).await;
        report.log();
        self.log.take()
    }

    /// The names of its events, without that of the pass itself.
    async fn events_at(&self, seconds: i64) -> Vec<String> {
        names(&self.pass_at(seconds).await).into_iter().filter(|name| name != "pass").collect()
    }

    /// Adds the group of a message's first attempt, as if another process had created it.
    fn put(&self, number: i64, state: ContainerState) -> String {
        let (id, name) = (format!("m{number}"), format!("worker-{number:016x}-1"));
        let number = number.to_string();
        let tags = [("subscription_name", "a"), ("message_id", id.as_str()), ("sequence_number", number.as_str())];
        self.scaler.services.groups.put(&name, &tags, "");
        self.change(&name, |group| {
            group.containers[0].state = Some(state);
            group.size = Some(GroupSize { memory_gb: 2.into(), cpu: 1.into() });
        });
        name
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut ContainerGroup)) {
        let mut groups = self.scaler.services.groups.groups.lock().unwrap();
        change(groups.get_mut(&GroupName::parse(name).unwrap()).unwrap());
    }
}

fn names(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["fields"]["event"].as_str().expect("a name").to_owned()).collect()
}

fn named<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let event = events.iter().find(|event| event["fields"]["event"] == name);
    &event.unwrap_or_else(|| panic!("no {name} in {events:#?}"))["fields"]
}

/// A container that ran for a minute until this second.
fn exited(code: i64, word: &str, seconds: i64) -> ContainerState {
    ContainerState {
        state: "Terminated".into(),
        exit_code: Some(code),
        started_at: Some(NOW + time::Duration::seconds(seconds - 60)),
        finished_at: Some(NOW + time::Duration::seconds(seconds)),
        detail_status: Some(word.into()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_a_warning_with_its_cause_and_its_last_lines_when_it_is_seen_and_once() {
    let stage = Stage::new(messages(1..=1), |_| {});
    let group = stage.put(1, exited(137, "OOMKilled", 0));
    let first = stage.pass_at(10).await;
    let failed = named(&first, "attempt_failed");
    let expected = serde_json::json!({
        "event": "attempt_failed", "message": "an attempt at a message has failed; its worker may have taken another one", "group": group, "subscription": "a",
        "message_id": "m1", "attempt": 1, "exit_code": 137, "reason": "OOMKilled", "since": "2026-01-05T10:00:00Z",
        "gb_seconds": 120.0, "vcpu_seconds": 60.0, "last_lines": ["one", "two"],
    });
    assert_eq!(*failed, expected);
    assert_eq!(first.iter().find(|event| event["fields"]["event"] == "attempt_failed").unwrap()["level"], "WARN");
    let finished = named(&first, "finished");
    assert_eq!((&finished["ran_seconds"], &finished["gb_seconds"]), (&60.0.into(), &120.0.into()));
    assert_eq!(finished["last_lines"], Value::Null, "they are logged once");
    let read = format!("logs {group} worker 20");
    assert_eq!(only(&stage.calls, &["logs", "delete"]), [read], "it is logged before it goes");

    assert_eq!(stage.events_at(30).await, [""; 0], "nothing has changed");
    // The next attempt is due and gets its group, then the old group is deleted: its end and its lines are already logged.
    assert_eq!(stage.events_at(60).await, ["created"]);
    assert_eq!(stage.events_at(120).await, ["deleted"]);
    assert_eq!(only(&stage.calls, &["logs"]), [""; 0], "they are read once");
}

#[tokio::test(start_paused = true)]
async fn ends_that_an_earlier_process_has_seen_are_only_summed_up() {
    let stage = Stage::new(messages(1..=3), |_| {});
    for number in 1..=2 {
        stage.put(number, exited(1, "Error", number));
    }
    stage.put(3, exited(1, "Error", 190));
    let events = stage.pass_at(200).await;
    let found = named(&events, "records_found");
    assert_eq!((&found["count"], &found["failed"], &found["gb_seconds"]), (&2.into(), &2.into(), &240.0.into()));
    assert_eq!(found["since"], "2026-01-05T10:00:01Z");
    let failed: Vec<_> = events.iter().filter(|event| event["fields"]["event"] == "attempt_failed").collect();
    assert_eq!(failed.len(), 1, "{events:#?}");
    assert_eq!(failed[0]["fields"]["message_id"], "m3");
}

#[tokio::test(start_paused = true)]
async fn a_trouble_is_logged_when_it_begins_then_once_in_ten_minutes_and_when_it_is_over() {
    let mut stage = Stage::new(messages(1..=1), |settings| settings.processing.max_attempts = NonZeroU32::MIN);
    let group = stage.put(1, exited(3, "Error", 0));
    let first = stage.pass_at(1).await;
    let parked = named(&first, "parked");
    assert_eq!((&parked["attempt"], &parked["exit_code"], &parked["group"]), (&1.into(), &3.into(), &group.into()));
    assert_eq!((&parked["since"], &parked["passes"]), (&"2026-01-05T10:00:00Z".into(), &1.into()));
    for minute in 1..10 {
        assert_eq!(stage.events_at(minute * 60).await, [""; 0], "{minute}");
    }
    let repeated = stage.pass_at(601).await;
    let parked = named(&repeated, "parked");
    assert_eq!((&parked["since"], &parked["passes"]), (&"2026-01-05T10:00:00Z".into(), &11.into()));
    assert_eq!(parked["gb_seconds"], 120.0, "what it has cost so far");
    stage.scaler.services.messages.messages.insert("a", Vec::new());
    let after = stage.pass_at(660).await;
    assert_eq!(named(&after, "over")["trouble"], "parked");
}

#[tokio::test(start_paused = true)]
async fn many_messages_of_one_trouble_are_five_lines_and_a_sum() {
    let mut waiting = messages(1..=100);
    for message in &mut waiting {
        message.file_size_mb = Err(crate::message::InvalidMessage::NoFileSize);
    }
    let stage = Stage::new(waiting, |_| {});
    let events = stage.pass_at(0).await;
    assert_eq!(names(&events), ["invalid", "invalid", "invalid", "invalid", "invalid", "invalid", "pass"]);
    assert_eq!(events[5]["fields"]["count"], 100);
    assert_eq!(stage.events_at(60).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_says_so_in_azures_words_and_its_message_too() {
    let stage = Stage::new(messages(1..=1), |_| {});
    let waiting = ContainerState {
        state: "Waiting".into(),
        detail_status: Some("ImagePullBackOff".into()),
        ..ContainerState::default()
    };
    let name = stage.put(1, waiting);
    stage.change(&name, |group| {
        group.containers[0].events = vec![ContainerEvent {
            name: "Failed".into(),
            message: "no such image".into(),
            is_warning: true,
            first_at: Some(NOW),
        }];
    });
    let events = stage.pass_at(30).await;
    let failing = named(&events, "start_failing");
    assert_eq!((&failing["message_id"], &failing["attempt"]), (&"m1".into(), &1.into()));
    assert_eq!(failing["reason"], "ImagePullBackOff: no such image");
    assert_eq!(failing["since"], "2026-01-05T10:00:00Z");
    // After five minutes it counts as a failed attempt and is deleted.
    let stuck = stage.pass_at(301).await;
    let failed = named(&stuck, "attempt_failed");
    assert_eq!((&failed["reason"], &failed["attempt"]), (&"ImagePullBackOff: no such image".into(), &1.into()));
    assert_eq!(named(&stuck, "deleted")["because"], "stuck");
}

#[tokio::test(start_paused = true)]
async fn creates_that_fail_for_one_cause_are_one_line_a_pass_with_since_when() {
    let stage = Stage::new(messages(1..=9), |_| {});
    let refused = ArmError::Unauthorized(Refusal::new("AuthorizationFailed", "no role"));
    *stage.scaler.services.groups.create_error.lock().unwrap() = Some(refused);
    let first = stage.pass_at(0).await;
    assert_eq!(names(&first), ["create_failed", "pass"]);
    stage.pass_at(60).await;
    let third = stage.pass_at(120).await;
    let failed = named(&third, "create_failed");
    assert_eq!((&failed["code"], &failed["passes"]), (&"AuthorizationFailed".into(), &3.into()));
    assert_eq!((&failed["since"], &failed["held"]), (&"2026-01-05T10:00:00Z".into(), &8.into()));
}

#[tokio::test(start_paused = true)]
async fn the_event_of_a_pass_has_every_number_as_a_field() {
    let mut waiting = messages(1..=3);
    for message in &mut waiting {
        message.enqueued_at = Some(NOW - time::Duration::minutes(5));
    }
    let stage = Stage::new(waiting, |settings| settings.aci.max_instances = 2);
    *stage.scaler.services.groups.remaining.lock().unwrap() = Some(100);
    let events = stage.pass_at(0).await;
    let fields = named(&events, "pass");
    assert_eq!(fields["messages"], serde_json::json!({ "created": 2, "waiting_capacity": 1 }));
    assert_eq!((&fields["cap"], &fields["active"], &fields["created"]), (&2.into(), &0.into(), &2.into()));
    assert_eq!((&fields["budget_left"], &fields["waiting"]), (&100.into(), &1.into()));
    assert_eq!(fields["subscriptions"]["a"]["oldest_waiting_seconds"], 300);
    for number in ["duration_ms", "observe_ms", "plan_ms", "create_ms", "delete_ms", "throttled", "dead_letters"] {
        assert!(fields[number].is_u64(), "{number}: {fields}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_life_is_measured_from_the_coming_of_its_message() {
    let mut waiting = messages(1..=1);
    waiting[0].enqueued_at = Some(NOW - time::Duration::seconds(30));
    let mut stage = Stage::new(waiting, |_| {});
    stage.pass_at(0).await;
    stage.change(M1, |group| group.containers[0].state = Some(exited(0, "Completed", 70)));
    stage.scaler.services.messages.messages.clear();
    stage.scaler.services.messages.messages.insert("a", Vec::new());
    let events = stage.pass_at(80).await;
    let finished = named(&events, "finished");
    assert_eq!((&finished["waited_seconds"], &finished["started_after_seconds"]), (&40.0.into(), &10.0.into()));
    assert_eq!((&finished["ran_seconds"], &finished["exit_code"]), (&60.0.into(), &0.into()));
    assert_eq!(finished["last_lines"], serde_json::json!(["one", "two"]));
    assert_eq!(names(&events), ["finished", "deleted", "pass"]);
}

#[tokio::test(start_paused = true)]
async fn last_lines_are_those_of_all_containers_of_failures_or_of_none() {
    for (container_lines, of_failure, of_success) in [
        (crate::settings::ContainerLines::All, true, true),
        (crate::settings::ContainerLines::Failures, true, false),
        (crate::settings::ContainerLines::None, false, false),
    ] {
        let stage = Stage::new(Vec::new(), |settings| settings.logs.container_lines = container_lines);
        let (failure, success) = (stage.put(1, exited(1, "Error", 0)), stage.put(2, exited(0, "Completed", 0)));
        let events = stage.pass_at(10).await;
        let mut read = only(&stage.calls, &["logs"]);
        read.sort();
        let expected = [(failure, of_failure), (success, of_success)].into_iter().filter(|(_, are)| *are);
        assert_eq!(read, expected.map(|(group, _)| format!("logs {group} worker 20")).collect::<Vec<_>>());
        let lines = events.iter().filter(|event| event["fields"]["last_lines"].is_array()).count();
        assert_eq!(lines, read.len());
        assert_eq!(names(&events).iter().filter(|name| *name == "deleted").count(), 1, "the last success stays");
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_groups_that_run_are_one_line_and_fifty_that_are_deleted_at_most_110() {
    let stage = Stage::new(messages(1..=200), |settings| settings.aci.max_instances = 200);
    assert_eq!(stage.events_at(0).await.len(), 200);
    assert_eq!(names(&stage.pass_at(60).await), ["pass"]);
    let stage = Stage::new(Vec::new(), |_| {});
    for number in 1..=50 {
        stage.put(number, exited(0, "Completed", 0));
    }
    let lines = stage.pass_at(10).await;
    assert!(lines.len() <= 110, "{} lines", lines.len());
    assert_eq!(lines.iter().filter(|event| event["fields"]["event"] == "deleted").count(), 50);
    assert_eq!(lines.iter().filter(|event| event["fields"]["last_lines"].is_array()).count(), 50);
}

#[tokio::test(start_paused = true)]
async fn that_tags_are_rewritten_is_said_once_a_pass() {
    let stage = Stage::new(messages(1..=9), |settings| {
        settings.processing.max_workers = NonZeroUsize::new(3).unwrap();
    });
    *stage.scaler.services.groups.shown_ownership.lock().unwrap() = Some(Ownership::Untagged);
    let events = stage.events_at(0).await;
    let said = |name| events.iter().filter(|event| *event == name).count();
    assert_eq!((said("created"), said("tags_rewritten")), (3, 1));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn take(&self) -> Vec<Value> {
        let log = std::mem::take(&mut *self.0.lock().unwrap());
        let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
