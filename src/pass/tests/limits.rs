//! Scenarios of passes at the limits that Azure and the deadline set.

use super::*;
use crate::container_group::{GroupName, MemoryGb};
use crate::message::FileSizeMb;

#[tokio::test(start_paused = true)]
async fn no_more_workers_create_at_once_than_are_set() {
    let (scaler, _) =
        scaler([("a", messages(1..=20))], |settings| settings.processing.max_workers = NonZeroUsize::new(3).unwrap());
    assert_eq!(pass(&scaler).await.message_counts["created"], 20);
    assert_eq!(scaler.services.groups.most_creating.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn when_azure_has_no_room_creating_stops_and_cleaning_up_goes_on() {
    for error in [
        ArmError::NoCapacity(Refusal::new("ContainerGroupQuotaReached", "")),
        ArmError::Throttled { code: "TooManyRequests".into(), retry_after: Duration::from_mins(1) },
    ] {
        let one_worker = |settings: &mut Settings| settings.processing.max_workers = NonZeroUsize::MIN;
        let (scaler, calls) = scaler([("a", messages(1..=9))], one_worker);
        scaler.services.groups.put("done", &[], "Terminated");
        *scaler.services.groups.create_error.lock().unwrap() = Some(error);
        let report = pass(&scaler).await;
        assert_eq!(report.message_counts, BTreeMap::from([("waiting_quota", 9)]));
        assert_eq!(only(&calls, &["create", "delete"]).len(), 2, "one try, and the delete");
        assert!(!report.partly_failed(), "waiting is no failure");
    }
}

#[tokio::test(start_paused = true)]
async fn creating_stops_while_a_little_is_left_for_cleaning_up() {
    let one_worker = |settings: &mut Settings| settings.processing.max_workers = NonZeroUsize::MIN;
    let (scaler, calls) = scaler([("a", messages(1..=9))], one_worker);
    *scaler.services.groups.remaining.lock().unwrap() = Some(5);
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts, BTreeMap::from([("created", 1), ("waiting_quota", 8)]));
    assert_eq!(only(&calls, &["create"]).len(), 1);
    assert_eq!(pass(&scaler).await.message_counts["waiting_quota"], 8, "the next pass does not take the rest");
    *scaler.services.groups.remaining.lock().unwrap() = Some(6);
    tokio::time::advance(Duration::from_mins(5)).await;
    assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("created", 8), ("running", 1)]));
}

#[tokio::test(start_paused = true)]
async fn what_deletes_leave_of_the_budget_counts_as_well() {
    let (scaler, calls) = scaler([("a", Vec::new())], |_| {});
    scaler.services.groups.put("done", &[], "Terminated");
    *scaler.services.groups.remaining.lock().unwrap() = Some(8);
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("deleted", 1)]));
    let (mut next, _) = super::scaler([("a", messages(1..=1))], |_| {});
    std::mem::swap(&mut next.budget, &mut { scaler }.budget);
    assert_eq!(pass(&next).await.message_counts, BTreeMap::from([("waiting_quota", 1)]));
    assert_eq!(only(&calls, &["create"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn when_azure_wants_a_break_deleting_stops_and_no_log_is_read_twice() {
    let one_worker = |settings: &mut Settings| settings.processing.max_workers = NonZeroUsize::MIN;
    let (scaler, calls) = scaler([("a", Vec::new())], one_worker);
    scaler.services.groups.put_ended("done-1");
    scaler.services.groups.put_ended("done-2");
    let throttled = ArmError::Throttled { code: "TooManyRequests".into(), retry_after: Duration::from_mins(1) };
    *scaler.services.groups.delete_error.lock().unwrap() = Some(throttled);
    let report = pass(&scaler).await;
    assert_eq!(report.group_counts, BTreeMap::from([("waiting_quota", 2)]));
    assert!(!report.partly_failed(), "waiting is no failure");
    assert_eq!(report.limits.throttled, 1);
    let logs = ["logs done-1 worker 20", "logs done-2 worker 20"];
    assert_eq!(only(&calls, &["logs", "delete"]), [logs[0], logs[1], "delete done-1"]);

    *scaler.services.groups.delete_error.lock().unwrap() = None;
    let report = pass(&scaler).await;
    let done = GroupOutcome::Deleted { because: DeleteReason::Finished, log_lines: 2 };
    assert!(report.groups.iter().all(|group| group.outcome == done), "{:?}", report.groups);
    assert_eq!(only(&calls, &["logs", "delete"]), ["delete done-1", "delete done-2"]);

    // The group was deleted, so the next one with its name has a new log.
    scaler.services.groups.put_ended("done-1");
    pass(&scaler).await;
    assert_eq!(only(&calls, &["logs", "delete"]), ["logs done-1 worker 20", "delete done-1"]);
}

#[tokio::test(start_paused = true)]
async fn while_azure_wants_a_break_from_reads_no_log_is_lost_and_no_further_group_is_tried() {
    let one_worker = |settings: &mut Settings| settings.processing.max_workers = NonZeroUsize::MIN;
    let (scaler, calls) = scaler([("a", Vec::new())], one_worker);
    scaler.services.groups.put_ended("done-1");
    let others = ["done-2", "done-3", "done-4", "done-5"];
    for group in others {
        scaler.services.groups.put_ended(group);
    }
    let throttled = ArmError::Throttled { code: "TooManyRequests".into(), retry_after: Duration::from_mins(1) };
    *scaler.services.groups.log_error.lock().unwrap() = Some(throttled);
    let ahead = ["done-1", "done-2", "done-3"].map(|group| format!("logs {group} worker 20"));
    for _ in 0..2 {
        assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("waiting_quota", 5)]));
        assert_eq!(only(&calls, &["logs", "delete"]), ahead);
    }
    // Its log counts as lost now, but the look-up before the delete is refused as well.
    for group in others {
        scaler.services.groups.groups.lock().unwrap().remove(&GroupName::parse(group).unwrap());
    }
    scaler.services.groups.change_after_get(|groups| {
        let throttled = ArmError::Throttled { code: "TooManyRequests".into(), retry_after: Duration::from_mins(1) };
        *groups.get_error.lock().unwrap() = Some(throttled);
    });
    assert_eq!(pass(&scaler).await.group_counts, BTreeMap::from([("waiting_quota", 1)]));
    assert_eq!(only(&calls, &["logs", "delete"]), ["logs done-1 worker 20"]);

    *scaler.services.groups.log_error.lock().unwrap() = None;
    *scaler.services.groups.get_error.lock().unwrap() = None;
    let outcome = &pass(&scaler).await.groups[0].outcome;
    assert_eq!(
        *outcome,
        GroupOutcome::Deleted { because: DeleteReason::Finished, log_lines: 2 },
        "with its log after all"
    );
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_refused_is_not_tried_again_and_again() {
    let one_worker = |settings: &mut Settings| settings.processing.max_workers = NonZeroUsize::MIN;
    let refused = ArmError::Unauthorized(Refusal::new("AuthorizationFailed", ""));
    for error in [refused, ArmError::NoToken("the identity is not there".into())] {
        let (scaler, calls) = scaler([("a", messages(1..=9))], one_worker);
        *scaler.services.groups.create_error.lock().unwrap() = Some(error);
        let report = pass(&scaler).await;
        assert_eq!(report.message_counts, BTreeMap::from([("failed", 1), ("held_by_failed_creates", 8)]));
        assert!(report.partly_failed());
        assert_eq!(only(&calls, &["create"]).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_creates_leave_a_quarter_of_the_pass_to_deletes() {
    // Each create takes 0.1 s and there is one worker. Reading leaves 4 s, of which creates get 3.
    let (scaler, calls) =
        scaler([("a", messages(1..=99))], |settings| settings.processing.max_workers = NonZeroUsize::MIN);
    scaler.services.groups.put("done", &[], "Terminated");
    let report = scaler.pass(Mode::Apply, &Deadline::after(Duration::from_millis(4300))).await.unwrap();
    assert!((29..=31).contains(&report.message_counts["created"]), "{:?}", report.message_counts);
    assert_eq!(report.message_counts["created"] + report.message_counts["waiting_deadline"], 99);
    assert_eq!(only(&calls, &["delete"]), ["delete done"]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_without_time_left_starts_nothing() {
    let (scaler, calls) = scaler([("a", messages(1..=1))], |_| {});
    let failure = scaler.pass(Mode::Apply, &Deadline::after(Duration::from_millis(50))).await.unwrap_err();
    assert!(matches!(failure, PassFailure::OutOfTime));
    assert_eq!(only(&calls, &["create", "delete"]), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn running_groups_are_looked_at_in_turns_that_azure_grants() {
    for (groups, longest_turn) in [(200, 20), (1000, 60)] {
        let (scaler, calls) = scaler([("a", Vec::new())], |settings| settings.aci.max_instances = 5000);
        for number in 0..groups {
            scaler.services.groups.put(&format!("worker-{number}"), &[], "Running");
        }
        let mut last_looks = BTreeMap::new();
        let (start, mut looks) = (Instant::now(), 0);
        // The first rounds do not count, because every group must be read once first.
        for round in 0..24 {
            let pass_began = Instant::now();
            pass(&scaler).await;
            let looked_at = only(&calls, &["get"]);
            looks += if round < 12 { 0 } else { looked_at.len() };
            for name in looked_at {
                let before = last_looks.insert(name, pass_began);
                let turn = before.map_or(Duration::ZERO, |before| pass_began - before).as_secs();
                assert!(round < 12 || turn <= longest_turn, "a turn of {turn} s among {groups}");
            }
            tokio::time::sleep_until(pass_began + Duration::from_secs(10)).await;
        }
        assert_eq!(last_looks.len(), groups);
        assert!(looks < 20 * 120, "{looks} in two minutes");
        assert!(start.elapsed() < Duration::from_mins(5));
    }
}

#[tokio::test(start_paused = true)]
async fn where_each_process_makes_one_pass_every_group_is_looked_at_all_the_same() {
    let mut looked_at = std::collections::BTreeSet::new();
    for minutes in 0..4 {
        let (mut scaler, calls) = scaler([("a", Vec::new())], |settings| settings.aci.max_instances = 5000);
        scaler.clock = Clock::from_fn(move || NOW + Duration::from_mins(minutes));
        for number in 0..1000 {
            scaler.services.groups.put(&format!("worker-{number}"), &[], "Running");
        }
        pass(&scaler).await;
        looked_at.extend(only(&calls, &["get"]));
    }
    assert_eq!(looked_at.len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn however_many_groups_run_new_messages_get_theirs_in_the_pass_that_first_reads_them() {
    for groups in [1500, 4990] {
        let (scaler, _) = scaler([("a", messages(1..=5))], |settings| settings.aci.max_instances = 5000);
        for number in 0..groups {
            scaler.services.groups.put(&format!("worker-{number}"), &[], "Running");
        }
        assert_eq!(pass(&scaler).await.message_counts, BTreeMap::from([("created", 5)]), "{groups}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_does_not_answer_for_the_time_that_the_groups_take() {
    // Reading those of 2,500 groups whose turn it is takes 7 s.
    let (scaler, _) = scaler([("a", messages(1..=3))], |settings| {
        settings.aci.max_instances = 9999;
        settings.processing.peek_page = NonZeroU32::MIN;
    });
    for number in 0..2500 {
        scaler.services.groups.put(&format!("worker-{number}"), &[], "Running");
    }
    let report = pass(&scaler).await;
    assert_eq!(report.subscriptions[0].error, None);
    assert_eq!(report.message_counts, BTreeMap::from([("created", 3)]));
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_room_for_a_large_group_smaller_ones_are_created() {
    let mut waiting = messages(1..=5);
    for (message, size) in waiting.iter_mut().zip(["1024", "128", "768", "128", "896"]) {
        message.file_size_mb = FileSizeMb::from_text(size);
    }
    let one_worker = |settings: &mut Settings| settings.processing.max_workers = NonZeroUsize::MIN;
    let (scaler, calls) = scaler([("a", waiting)], one_worker);
    *scaler.services.groups.no_room_from.lock().unwrap() = MemoryGb::from_decimal(4.into()).ok();
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts, BTreeMap::from([("created", 2), ("waiting_quota", 3)]));
    assert_eq!(only(&calls, &["create"]).len(), 4, "the last one is larger than the smallest that had no room");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_azure_does_not_show_holds_up_no_create() {
    let (scaler, _) = scaler([("a", messages(1..=1))], |_| {});
    scaler.services.groups.put("hidden", &[], "Running");
    *scaler.services.groups.hidden.lock().unwrap() = Some("hidden".to_owned());
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts, BTreeMap::from([("created", 1)]));
    assert_eq!(report.group_counts, BTreeMap::from([("unread", 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_slow_holds_up_no_other() {
    let two_workers = |settings: &mut Settings| settings.processing.max_workers = NonZeroUsize::new(2).unwrap();
    let (scaler, _) = scaler([("a", messages(1..=9))], two_workers);
    *scaler.services.groups.slow.lock().unwrap() = Some(M1.to_owned());
    let report = pass(&scaler).await;
    let slow = report.messages.iter().find(|report| report.message.sequence_number == 1).unwrap();
    assert_eq!(<&str>::from(&slow.outcome), "failed", "its answer does not come before the end of the pass");
    assert_eq!(report.message_counts["created"], 8);
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_holds_up_the_others_for_two_seconds_and_then_for_half_a_second_in_most_passes() {
    let (mut scaler, _) = scaler([("a", messages(1..=1)), ("b", messages(1..=1))], |_| {});
    scaler.services.messages.hanging = vec!["b"];
    scaler.services.groups.put("hidden", &[], "Running");
    *scaler.services.groups.hidden.lock().unwrap() = Some("hidden".to_owned());
    scaler.services.groups.put("seen", &[], "Running");
    let mut took = Vec::new();
    for _ in 0..6 {
        let start = Instant::now();
        let report = pass(&scaler).await;
        assert!(report.subscriptions[1].error.is_some());
        took.push(start.elapsed().as_millis() / 500);
    }
    assert!(took[0] <= 9 && took[4] <= 9, "a grace of 2 s each for the group and the subscription: {took:?}");
    assert!([1, 2, 3, 5].iter().all(|pass| took[*pass] <= 2), "{took:?}");
    scaler.services.messages.hanging.clear();
    *scaler.services.groups.hidden.lock().unwrap() = None;
    let report = pass(&scaler).await;
    assert_eq!((report.subscriptions[1].error.is_some(), report.group_counts.contains_key("unread")), (false, false));
    assert_eq!(report.message_counts["created"], 1);
}
