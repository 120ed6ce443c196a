//! Scenarios of whole passes, over services in memory and paused time.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod creates;
mod deletes;
mod events;
mod fakes;
mod limits;
mod rules;
mod topic;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use fakes::{Calls, FakeGroups, FakeMessages, FakeSubscriptions, messages};

use super::report::TroubleKind;
use super::*;
use crate::plan::{DeleteReason, GroupOutcome, MessageOutcome};
use crate::services::Refusal;
use crate::test_support::{NOW, settings};

type FakeScaler = Scaler<FakeGroups, FakeSubscriptions, FakeMessages>;

/// A scaler over subscriptions with these messages, and its calls.
fn scaler(
    subscriptions: impl IntoIterator<Item = (&'static str, Vec<crate::message::PeekedMessage>)>,
    change: impl FnOnce(&mut Settings),
) -> (FakeScaler, Calls) {
    let calls = Calls::default();
    let messages: BTreeMap<_, _> = subscriptions.into_iter().collect();
    let mut settings = settings();
    change(&mut settings);
    let services = Services {
        groups: FakeGroups { calls: calls.clone(), ..FakeGroups::default() },
        subscriptions: FakeSubscriptions::new(messages.keys().copied()),
        messages: FakeMessages { calls: calls.clone(), messages, ..FakeMessages::default() },
    };
    (Scaler::new(services, &settings, Clock::from_fn(|| NOW)), calls)
}

async fn pass(scaler: &FakeScaler) -> Report {
    let report = scaler.pass(Mode::Apply, &Deadline::after(scaler.pass_deadline())).await.unwrap();
    let peeked: usize = report.subscriptions.iter().map(|subscription| subscription.peeked).sum();
    assert_eq!(report.messages.len(), peeked, "every peeked message has an outcome");
    assert_eq!(report.message_counts.values().sum::<usize>(), peeked);
    report
}

async fn failed_pass(scaler: &FakeScaler) -> String {
    let failure = scaler.pass(Mode::Apply, &Deadline::after(scaler.pass_deadline())).await.unwrap_err();
    failure.to_string()
}

/// The calls that begin with one of these words.
fn only(calls: &Calls, words: &[&str]) -> Vec<String> {
    calls.take().into_iter().filter(|call| words.iter().any(|word| call.starts_with(word))).collect()
}

fn unavailable() -> ArmError {
    ArmError::Unavailable { reason: "reset".into() }
}

const M1: &str = "worker-86332ec9680f4d61-1";

#[tokio::test(start_paused = true)]
async fn a_pass_looks_up_before_it_creates_and_a_second_one_creates_nothing() {
    let (scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts, BTreeMap::from([("created", 1)]));
    let MessageOutcome::Created { group, .. } = &report.messages[0].outcome else { panic!("{report:?}") };
    assert_eq!(group.as_str(), M1);
    let expected =
        ["list groups", "peek a 1 250", "peek a 2 250", "close", &format!("get {M1}"), &format!("create {M1}")];
    let mut made = calls.take();
    made[..2].sort(); // These two are concurrent.
    assert_eq!(made, expected);

    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("running", 1)]));
    assert_eq!(only(&calls, &["create", "delete"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_already_there_is_left_alone() {
    // Its tags are lost, so only its name identifies it.
    let (scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    scaler.services.groups.put(M1, &[], "Running");
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("found", 1)]));
    assert_eq!(only(&calls, &["create", "delete"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn creates_come_first_and_each_delete_after_its_logs() {
    let (scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    scaler.services.groups.put("done", &[], "Terminated");
    let report = pass(&scaler).await;
    assert_eq!(report.groups[0].outcome, GroupOutcome::Deleted { because: DeleteReason::Finished, log_lines: 2 });
    let create = format!("create {M1}");
    assert_eq!(only(&calls, &["create", "logs", "delete"]), [&create, "logs done worker 20", "delete done"]);
}

#[tokio::test(start_paused = true)]
async fn a_group_stays_until_its_log_is_read_for_three_passes_and_two_minutes_at_most() {
    for (seconds_apart, waiting_passes) in [(15, 8), (30, 4), (60, 2), (300, 2)] {
        let (scaler, calls) = scaler([("a", Vec::new())], |_| {});
        scaler.services.groups.put("done", &[], "Terminated");
        *scaler.services.groups.log_error.lock().unwrap() = Some(unavailable());
        for _ in 0..waiting_passes {
            assert!(matches!(pass(&scaler).await.groups[0].outcome, GroupOutcome::WaitingLogs { .. }));
            assert_eq!(only(&calls, &["delete"]), Vec::<String>::new());
            tokio::time::advance(Duration::from_secs(seconds_apart)).await;
        }
        assert!(matches!(pass(&scaler).await.groups[0].outcome, GroupOutcome::DeletedWithoutLogs { .. }));
        assert_eq!(only(&calls, &["delete"]), ["delete done"]);
    }
}

#[tokio::test(start_paused = true)]
async fn passes_in_which_a_log_cannot_be_read_count_for_the_same_group_in_a_row() {
    let (scaler, calls) = scaler([("a", Vec::new())], |_| {});
    let groups = &scaler.services.groups;
    *groups.log_error.lock().unwrap() = Some(unavailable());
    let waits = |report: Report| matches!(report.groups[0].outcome, GroupOutcome::WaitingLogs { .. });
    let waits_twice = async || {
        tokio::time::advance(Duration::from_mins(2)).await;
        waits(pass(&scaler).await) && waits(pass(&scaler).await)
    };
    groups.put_ended("done");
    assert!(waits_twice().await);
    groups.put("done", &[("keep", "true")], "Terminated");
    pass(&scaler).await;
    groups.put_ended("done");
    assert!(waits_twice().await, "it was not to go in between");
    groups.put("done", &[], "Terminated");
    assert!(waits_twice().await, "it has ended in another way");
    assert_eq!(only(&calls, &["delete"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_azure_will_never_give_is_lost_at_once() {
    let (scaler, _) = scaler([("a", Vec::new())], |_| {});
    scaler.services.groups.put("done", &[], "Terminated");
    let rejected = ArmError::Rejected(Refusal::new("InvalidTail", ""));
    *scaler.services.groups.log_error.lock().unwrap() = Some(rejected);
    assert!(matches!(pass(&scaler).await.groups[0].outcome, GroupOutcome::DeletedWithoutLogs { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_never_had_a_log_goes_at_once() {
    let (scaler, _) = scaler([("a", Vec::new())], |_| {});
    scaler.services.groups.put("done", &[], "Terminated");
    let none = ArmError::NotFound(Refusal::new("ContainerLogNotAvailable", ""));
    *scaler.services.groups.log_error.lock().unwrap() = Some(none);
    assert_eq!(
        pass(&scaler).await.groups[0].outcome,
        GroupOutcome::Deleted { because: DeleteReason::Finished, log_lines: 0 }
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_refused_does_not_stop_the_others() {
    let (scaler, calls) = scaler([("a", messages(1..=3))], |_| {});
    let refused = ArmError::Rejected(Refusal::new("InaccessibleImage", ""));
    *scaler.services.groups.create_error.lock().unwrap() = Some(refused);
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("failed", 3)]));
    assert_eq!(only(&calls, &["create"]).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_group_is_refused_leaves_its_slot_to_others() {
    let (scaler, calls) = scaler([("a", messages(1..=2))], |settings| {
        settings.aci.max_instances = 1;
        settings.processing.peek_page = NonZeroU32::MIN;
    });
    let refused = ArmError::Rejected(Refusal::new("InvalidMemory", ""));
    *scaler.services.groups.create_error.lock().unwrap() = Some(refused);
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("failed", 1)]));
    *scaler.services.groups.create_error.lock().unwrap() = None;
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts, BTreeMap::from([("created", 1), ("create_backing_off", 1)]));
    let trouble = report.troubles().remove(0);
    let item = &trouble.items[0];
    assert_eq!((trouble.kind, item.message_id.as_deref()), (TroubleKind::CreatesHeld, Some("m1")));
    assert_eq!(item.reason.as_deref(), Some("Azure refuses the request (InvalidMemory): "));
    assert_eq!(item.until, Some(NOW + time::Duration::MINUTE));
    assert_eq!(only(&calls, &["create"]).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pass_says_what_holds_messages_up() {
    let mut waiting = messages(1..=20);
    for message in &mut waiting[4..10] {
        message.file_size_mb = Err(crate::message::InvalidMessage::NoFileSize);
    }
    let (scaler, _) = scaler([("a", waiting), ("b", messages(1..=1))], |settings| {
        settings.processing.max_attempts = NonZeroU32::MIN;
    });
    for number in 1..=4 {
        let (id, number) = (format!("m{number}"), number.to_string());
        let tags = [("subscription_name", "a"), ("message_id", id.as_str()), ("sequence_number", number.as_str())];
        scaler.services.groups.put(&id, &tags, "Terminated");
    }
    *scaler.services.groups.create_error.lock().unwrap() =
        Some(ArmError::NoCapacity(Refusal::new("ContainerGroupQuotaReached", "100 are there")));
    let report = pass(&scaler).await;
    let troubles: BTreeMap<_, _> =
        report.troubles().into_iter().map(|trouble| (trouble.kind.name(), (trouble.count, trouble.items))).collect();
    let counts: Vec<_> = troubles.iter().map(|(kind, (count, _))| (*kind, *count)).collect();
    assert_eq!(counts, [("held", 10), ("invalid", 6), ("parked", 4), ("waiting_quota", 1)]);
    assert_eq!(troubles["held"].1[0].until, Some(NOW + time::Duration::MINUTE));
    let full = "Azure has no room for another container group (ContainerGroupQuotaReached): 100 are there";
    assert_eq!(troubles["waiting_quota"].1[0].reason.as_deref(), Some(full));
    assert_eq!(report.bounded().messages.len(), 6 + 4 + 10 + 1, "all but those that just wait for a slot or run");
}

#[tokio::test(start_paused = true)]
async fn without_the_groups_nothing_is_done() {
    let (mut scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    scaler.services.groups.list_error = Some(unavailable());
    assert_eq!(failed_pass(&scaler).await, "the container groups could not be listed");
    assert_eq!(only(&calls, &["create", "delete", "peek a 2"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn without_the_subscriptions_nothing_is_done() {
    let (mut scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    scaler.services.groups.put("done", &[], "Terminated");
    scaler.services.subscriptions.error = Some(unavailable());
    assert_eq!(failed_pass(&scaler).await, "the subscriptions of the topic could not be listed");
    assert_eq!(only(&calls, &["create", "delete", "peek"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn when_no_subscription_can_be_peeked_the_pass_fails() {
    let (mut scaler, calls) = scaler([("a", messages(1..=1)), ("b", messages(1..=1))], |_| {});
    scaler.services.groups.put("done", &[], "Terminated");
    scaler.services.messages.failing = BTreeMap::from([("a", 1), ("b", 1)]);
    assert_eq!(failed_pass(&scaler).await, "no subscription could be peeked");
    scaler.services.messages.connect_error = Some(PeekError::Unavailable { reason: "refused".into() });
    assert_eq!(failed_pass(&scaler).await, "no subscription could be peeked");
    assert_eq!(only(&calls, &["create", "delete"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_topic_without_subscriptions_is_no_failure_and_is_cleaned_up() {
    let (scaler, calls) = scaler([], |_| {});
    scaler.services.groups.put("done", &[], "Terminated");
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("deleted", 1)]));
    assert_eq!(only(&calls, &["peek"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_hangs_fails_or_stands_still_leaves_the_others_working() {
    for trouble in ["hangs", "fails", "stands still"] {
        let (mut scaler, calls) = scaler([("bad", messages(1..=9)), ("good", messages(1..=9))], |_| {});
        let fake = &mut scaler.services.messages;
        match trouble {
            "hangs" => fake.hanging.push("bad"),
            "fails" => drop(fake.failing.insert("bad", 1)),
            _ => fake.stuck.push("bad"),
        }
        scaler.services.groups.put("done-bad", &[("subscription_name", "bad")], "Terminated");
        scaler.services.groups.put("done-good", &[("subscription_name", "good")], "Terminated");
        let report = pass(&scaler).await;
        assert!(report.partly_failed(), "{trouble}");
        let good = report.messages.iter().filter(|message| message.message.subscription == "good".into());
        assert_eq!(
            good.filter(|message| matches!(message.outcome, MessageOutcome::Created { .. })).count(),
            9,
            "{trouble}"
        );
        assert_eq!(only(&calls, &["delete"]), ["delete done-good"], "{trouble}");
    }
}

#[tokio::test(start_paused = true)]
async fn subscriptions_of_the_last_pass_are_read_while_they_are_listed_and_dropped_if_they_are_not() {
    let (mut scaler, calls) = scaler([("a", messages(1..=1)), ("new", messages(2..=2))], |_| {});
    let services = &mut scaler.services;
    services.subscriptions.latency = Duration::from_secs(10);
    services.messages.familiar = vec!["gone", "a", "broken"];
    services.messages.failing = BTreeMap::from([("broken", 1)]);
    let _ = services.messages.messages.insert("gone", messages(3..=3));
    let report = pass(&scaler).await;
    let names: Vec<_> = report.subscriptions.iter().map(|subscription| subscription.name.as_str()).collect();
    assert_eq!(names, ["a", "new"]);
    assert_eq!(report.message_counts, BTreeMap::from([("created", 2)]));
    let (early, late) = (["gone 1", "a 1", "broken 1"], ["a 2", "new 1", "new 3"]);
    let expected = early.into_iter().chain(late).map(|peek| format!("peek {peek} 250")).collect::<Vec<_>>();
    assert_eq!(only(&calls, &["peek"]), expected, "none is read twice");

    scaler.services.subscriptions.error = Some(unavailable());
    scaler.services.messages.hanging = vec!["a"];
    let start = Instant::now();
    assert_eq!(failed_pass(&scaler).await, "the subscriptions of the topic could not be listed");
    assert_eq!(start.elapsed(), Duration::from_secs(10), "nothing is read any more");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_skipped_is_not_looked_at() {
    let (scaler, calls) = scaler([("Skipped", messages(1..=1)), ("a", Vec::new())], |_| {});
    let report = pass(&scaler).await;
    assert_eq!(report.skipped_subscriptions, ["Skipped".into()]);
    assert_eq!(only(&calls, &["peek"]), ["peek a 1 250"]);
}

#[tokio::test(start_paused = true)]
async fn peeking_goes_on_past_served_messages_until_there_are_enough_new_ones() {
    let (scaler, calls) = scaler([("a", messages(1..=1000))], |settings| {
        settings.aci.max_instances = 302;
        settings.processing.peek_page = NonZeroU32::new(100).unwrap();
    });
    for served in 1..=300 {
        let id = format!("m{served}");
        scaler.services.groups.put(
            &format!("g{served}"),
            &[("subscription_name", "a"), ("message_id", &id)],
            "Running",
        );
    }
    let report = pass(&scaler).await;
    let expected = BTreeMap::from([("created", 2), ("running", 300), ("waiting_capacity", 98)]);
    assert_eq!(report.message_counts, expected);
    assert_eq!(only(&calls, &["peek"]), ["peek a 1 100", "peek a 101 100", "peek a 201 100", "peek a 301 100"]);
}

#[tokio::test(start_paused = true)]
async fn peeking_goes_no_deeper_than_is_set() {
    let (scaler, calls) = scaler([("a", messages(1..=1000))], |settings| {
        settings.processing.peek_page = NonZeroU32::new(100).unwrap();
        settings.processing.peek_depth = NonZeroU32::new(150).unwrap();
    });
    assert_eq!(pass(&scaler).await.subscriptions[0].peeked, 150);
    assert_eq!(only(&calls, &["peek"]), ["peek a 1 100", "peek a 101 50"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_needed_in_any_case_is_read_while_the_groups_are_looked_at() {
    // Two slots are free even if all groups run. A group that turns out to have ended frees a third.
    let (scaler, calls) = scaler([("a", messages(1..=4))], |settings| {
        settings.aci.max_instances = 12;
        settings.processing.peek_page = NonZeroU32::new(1).unwrap();
    });
    for number in 0..10 {
        let state = if number == 9 { "Terminated" } else { "Running" };
        scaler.services.groups.put(&format!("worker-{number}"), &[("subscription_name", "b")], state);
    }
    pass(&scaler).await;
    let calls = only(&calls, &["list", "get worker-9", "peek"]);
    // The tenth group is read after eight others, 100 ms after the list. By then, the second page has been requested.
    assert_eq!(calls[..5], ["list groups", "peek a 1 1", "peek a 2 1", "get worker-9", "peek a 3 1"], "{calls:?}");
    assert!(!calls.contains(&"peek a 4 1".to_owned()), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn with_a_full_cap_one_page_is_enough() {
    let (scaler, calls) = scaler([("a", messages(1..=1000))], |settings| settings.aci.max_instances = 1);
    scaler.services.groups.put("busy", &[], "Running");
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("waiting_capacity", 250)]));
    assert_eq!(only(&calls, &["peek"]), ["peek a 1 250"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_and_a_plan_say_what_would_be_done_and_do_nothing() {
    for (mode, dry_run) in [(Mode::Apply, true), (Mode::PlanOnly, false)] {
        let (scaler, calls) = scaler([("a", messages(1..=2))], |settings| settings.processing.dry_run = dry_run);
        scaler.services.groups.put("done", &[], "Terminated");
        let report = scaler.pass(mode, &Deadline::after(scaler.pass_deadline())).await.unwrap();
        assert_eq!(report.message_counts, BTreeMap::from([("to_be_created", 2)]));
        assert_eq!(report.group_counts, BTreeMap::from([("to_be_deleted", 1)]));
        assert!(report.plan_only);
        assert_eq!(only(&calls, &["create", "delete", "logs"]), Vec::<String>::new());
    }
}
