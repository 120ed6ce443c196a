//! Scenarios of subscriptions in which many attempts fail.

use super::*;
use crate::container_group::ContainerState;
use crate::plan::cause::BreakerFailures;

/// Failed first attempts at messages of `a`, one at each of these seconds.
fn failures(ends: &[i64]) -> Vec<ObservedGroup> {
    ends.iter().zip(1..).map(|(end, number)| attempt("a", number, 1, exited(1, *end))).collect()
}

/// The plan for 9 messages in `a`.
fn pass(groups: Vec<ObservedGroup>, seconds: i64) -> Plan {
    let subscriptions = vec![subscription("a", messages(1..=9)), subscription("b", messages(1..=2))];
    planned_by(&policy(100), &Memory::default(), at(seconds), groups, subscriptions)
}

fn created_in_a(plan: &Plan) -> Vec<String> {
    created(plan).into_iter().filter(|name| name.starts_with("a/")).collect()
}

fn held_until(plan: &Plan) -> Vec<Option<OffsetDateTime>> {
    let mut until: Vec<_> = plan
        .messages
        .iter()
        .filter_map(|(_, outcome)| match outcome {
            MessageOutcome::HeldByBreaker { until, .. } => Some(*until),
            _ => None,
        })
        .collect();
    until.dedup();
    until
}

#[test]
fn two_failures_hold_nothing_up_and_three_do_in_their_own_subscription() {
    assert_eq!(created_in_a(&pass(failures(&[0, 0]), 10)).len(), 7);
    let plan = pass(failures(&[0, 0, 0]), 10);
    assert_eq!(created(&plan), ["b/m1", "b/m2"]);
    assert_eq!(held_until(&plan), [Some(at(60))]);
}

#[test]
fn one_group_is_let_through_each_time_that_the_trouble_has_lasted_twice_as_long() {
    for (last, next) in [(0, 60), (60, 120), (120, 240), (240, 480), (1000, 2000), (3000, 4800)] {
        let ends = [0, 0, last];
        assert_eq!(created_in_a(&pass(failures(&ends), next - 1)), Vec::<String>::new(), "{last}");
        assert_eq!(created_in_a(&pass(failures(&ends), next)).len(), 1, "{last}");
    }
}

#[test]
fn nothing_follows_the_one_that_was_let_through_until_it_has_ended() {
    for state in [waiting(), running(100)] {
        let groups = [failures(&[0, 0, 0]), vec![attempt("a", 4, 1, state)]].concat();
        let plan = pass(groups, 120);
        assert_eq!(created_in_a(&plan), Vec::<String>::new());
        assert_eq!(held_until(&plan), [None]);
    }
}

#[test]
fn a_group_that_has_run_since_before_the_trouble_does_not_keep_others_from_being_let_through() {
    let groups = [failures(&[0, 0, 0]), vec![attempt("a", 4, 1, running(-5000))]].concat();
    assert_eq!(created_in_a(&pass(groups, 60)).len(), 1);
}

#[test]
fn a_group_that_began_to_run_when_the_last_one_failed_does_not_either() {
    let slow = |number| attempt("a", number, 1, ContainerState { started_at: Some(at(-100)), ..exited(1, 0) });
    let groups = |since| vec![slow(1), slow(2), slow(3), attempt("a", 4, 1, running(since))];
    assert_eq!(created_in_a(&pass(groups(0), 60)).len(), 1);
    assert_eq!(created_in_a(&pass(groups(1), 60)).len(), 0);
}

#[test]
fn the_message_that_has_failed_least_is_let_through_first() {
    assert_eq!(created_in_a(&pass(failures(&[0, 0, 0]), 60)), ["a/m4"]);
}

#[test]
fn a_success_after_the_failures_lets_all_through() {
    let with_success = |end| [failures(&[0, 0, 0]), vec![attempt("a", 4, 1, exited(0, end))]].concat();
    assert_eq!(created_in_a(&pass(with_success(-1), 59)).len(), 0);
    assert_eq!(created_in_a(&pass(with_success(0), 59)).len(), 5);
}

#[test]
fn a_group_that_has_run_for_twice_as_long_as_any_that_failed_lets_all_through() {
    let slow = |number| attempt("a", number, 1, ContainerState { started_at: Some(at(-100)), ..exited(1, 0) });
    let groups = |run_since| vec![slow(1), slow(2), slow(3), attempt("a", 4, 1, running(run_since))];
    assert_eq!(created_in_a(&pass(groups(1), 200)).len(), 0);
    assert_eq!(created_in_a(&pass(groups(1), 201)).len(), 8);
    let quick = [failures(&[0, 0, 0]), vec![attempt("a", 4, 1, running(1))]].concat();
    assert_eq!(created_in_a(&pass(quick.clone(), 60)).len(), 0);
    assert_eq!(created_in_a(&pass(quick, 61)).len(), 8);
}

#[test]
fn the_last_success_stays_while_there_are_failures_and_its_message_is_gone() {
    let success = |number, end| attempt("a", number, 1, exited(0, end));
    let gone = [failures(&[0]), vec![success(20, 1), success(21, 2)]].concat();
    let plan = pass(gone, 10);
    assert_eq!(reasons(&plan), [("a-m20-1", DeleteReason::Finished)]);
    assert_eq!(plan.groups[1].1, GroupOutcome::LastSuccess);
    assert_eq!(reasons(&pass(vec![success(20, 1)], 10)), [("a-m20-1", DeleteReason::Finished)]);
}

#[test]
fn the_last_success_gives_way_to_a_message_of_its_own_id() {
    let groups = vec![attempt("a", 1, 1, exited(1, 0)), attempt("a", 20, 1, exited(0, 1))];
    let resent = subscription("a", vec![message(1, "m1"), message(30, "m20")]);
    assert_eq!(reasons(&planned(9, groups, vec![resent])), [("a-m20-1", DeleteReason::Finished)]);
}

#[test]
fn failures_of_long_ago_hold_nothing_up_and_need_no_success_to_stay() {
    // Twice half an hour of back-off and half an hour of provisioning.
    let groups = [failures(&[0, 0, 0]), vec![attempt("a", 20, 1, exited(0, -1))]].concat();
    assert_eq!(created_in_a(&pass(groups.clone(), 7199)).len(), 1);
    assert_eq!(deleted(&pass(groups.clone(), 7199)), Vec::<&str>::new());
    assert_eq!(created_in_a(&pass(groups.clone(), 7200)).len(), 9);
    assert_eq!(deleted(&pass(groups, 7200)), ["a-m20-1"]);
}

#[test]
fn failures_whose_groups_had_to_go_count_while_they_are_remembered() {
    let stuck = |number| {
        let mut observed = attempt("a", number, 1, waiting());
        observed.tags_mut().insert("waiting_since".into(), "2026-01-05T09:30:00Z".into());
        observed
    };
    let first = pass((1..=3).map(stuck).collect(), 0);
    assert_eq!(first.deletes.len(), 3);
    let subscriptions = vec![subscription("a", messages(1..=9))];
    let next = planned_by(&policy(100), &first.memory, at(59), Vec::new(), subscriptions);
    assert_eq!(created(&next), Vec::<String>::new());
}

#[test]
fn an_attempt_that_another_one_has_followed_is_no_failure_any_more() {
    let failed = |number| attempt("a", number, 1, exited(1, -5));
    let followed = vec![failed(1), failed(2), failed(3), attempt("a", 3, 2, running(-2))];
    let plan = planned(10, followed, vec![subscription("a", messages(1..=4))]);
    assert_eq!(created(&plan), ["a/m4"]);
}

#[test]
fn who_is_held_up_sees_the_failures_since_the_last_success_and_the_latest_of_them() {
    let before = [attempt("a", 6, 1, exited(1, -60)), attempt("a", 7, 1, exited(1, -50))];
    let success = attempt("a", 8, 1, exited(0, -50));
    let since =
        [attempt("a", 1, 1, exited(1, 0)), attempt("a", 3, 2, exited(137, 20)), attempt("a", 2, 1, exited(1, 10))];
    let plan = pass([before.as_slice(), &[success], &since].concat(), 30);
    let shown = |(_, outcome): &(MessageAddress, MessageOutcome)| match outcome {
        MessageOutcome::HeldByBreaker { failures, .. } => failures.clone(),
        _ => None,
    };
    let expected = BreakerFailures {
        failures: 3,
        since: at(0),
        attempt: 2,
        group: GroupName::parse("a-m3-2").ok(),
        exit_code: Some(137),
        reason: None,
    };
    assert_eq!(plan.messages.iter().find_map(shown), Some(expected));
}
