//! Scenarios of messages that are tried again.

use std::collections::BTreeMap;

use super::*;

/// The outcome of message 1 when this much time has passed since its last attempt failed.
fn after(attempt_number: u32, seconds: i64) -> Plan {
    let groups = vec![attempt("a", 1, attempt_number, exited(1, 0))];
    planned_by(&policy(10), &Memory::default(), at(seconds), groups, vec![subscription("a", messages(1..=1))])
}

#[test]
fn a_failed_message_gets_its_next_attempt_when_its_backoff_is_over_and_not_before() {
    for (attempt_number, backoff) in [(1, 60), (2, 120), (3, 240), (5, 960), (6, 1800), (9, 1800)] {
        let group = Some(GroupName::parse(&format!("a-m1-{attempt_number}")).unwrap());
        let (attempt, until) = (attempt_number, at(backoff));
        let end = AttemptEnd { exit_code: Some(1), since: Some(at(0)), ..AttemptEnd::default() };
        let before = after(attempt_number, backoff - 1);
        assert_eq!(*outcome(&before), MessageOutcome::BackingOff { attempt, until, group, end: end.clone() });
        assert_eq!(before.groups[0].1, GroupOutcome::Record { attempt, until: Some(until), end });
        assert_eq!(attempts_created(&after(attempt_number, backoff)), [attempt_number + 1]);
    }
}

#[test]
fn a_record_stays_until_its_successor_is_there() {
    let plan = after(1, 60);
    assert_eq!((attempts_created(&plan), deleted(&plan)), (vec![2], Vec::new()));
    assert!(matches!(plan.groups[0].1, GroupOutcome::Record { attempt: 1, until: None, .. }));
    let groups = vec![attempt("a", 1, 1, exited(1, 0)), attempt("a", 1, 2, waiting())];
    let plan = planned(10, groups, vec![subscription("a", messages(1..=1))]);
    assert_eq!(reasons(&plan), [("a-m1-1", DeleteReason::Superseded)]);
    assert!(matches!(outcome(&plan), MessageOutcome::Running { .. }));
}

#[test]
fn an_exit_code_of_0_with_the_message_still_there_is_an_attempt_too() {
    let groups = vec![attempt("a", 1, 1, exited(0, 0))];
    let plan = planned(10, groups, vec![subscription("a", messages(1..=1))]);
    assert!(matches!(outcome(&plan), MessageOutcome::BackingOff { attempt: 1, .. }));
}

#[test]
fn after_its_last_attempt_a_message_is_parked_and_keeps_its_record() {
    let plan = after(10, 1_000_000);
    assert!(matches!(outcome(&plan), MessageOutcome::Parked { attempts: 10, group: Some(_), .. }));
    assert_eq!(deleted(&plan), Vec::<&str>::new());
}

#[test]
fn a_message_that_is_sent_again_begins_anew() {
    // Message 2 has the id of message 1, which is gone.
    let resent = || vec![message(2, "m1")];
    let groups = vec![attempt("a", 1, 10, exited(1, 0))];
    let plan = planned(10, groups, vec![subscription("a", resent())]);
    assert_eq!(reasons(&plan), [("a-m1-10", DeleteReason::Finished)]);
    assert!(matches!(outcome(&plan), MessageOutcome::Finished { .. }), "its group goes first");
    assert_eq!(attempts_created(&planned(10, Vec::new(), vec![subscription("a", resent())])), [1]);
}

#[test]
fn a_duplicate_waits_while_the_older_message_backs_off() {
    let groups = vec![attempt("a", 1, 1, exited(1, 0))];
    let plan = planned(10, groups, vec![subscription("a", vec![message(1, "m1"), message(2, "m1")])]);
    assert!(plan.creates.is_empty());
    assert_eq!(plan.messages[1].1, MessageOutcome::Duplicate);
}

#[test]
fn without_a_backoff_a_finished_group_goes_at_once_and_its_message_is_served_at_the_next_pass() {
    let policy = policy_with(|settings| settings.processing.retry_backoff = std::time::Duration::ZERO);
    let run = |groups| planned_by(&policy, &Memory::default(), NOW, groups, vec![subscription("a", messages(1..=1))]);
    let plan = run(vec![attempt("a", 1, 1, exited(1, 0))]);
    assert_eq!(reasons(&plan), [("a-m1-1", DeleteReason::Finished)]);
    assert!(matches!(outcome(&plan), MessageOutcome::Finished { .. }));
    assert_eq!(attempts_created(&run(Vec::new())), [1]);
}

#[test]
fn an_end_that_azure_does_not_date_is_dated_by_the_first_pass_that_sees_it_and_by_a_tag() {
    let undated = || {
        let mut observed = attempt("a", 1, 1, waiting());
        observed.group_mut().provisioning_state = "Failed".into();
        observed
    };
    let pass = |memory: &Memory, now, observed| {
        planned_by(&policy(10), memory, now, vec![observed], vec![subscription("a", messages(1..=1))])
    };
    let first = pass(&Memory::default(), at(0), undated());
    assert!(matches!(outcome(&first), MessageOutcome::BackingOff { until, .. } if *until == at(60)));
    let group = GroupName::parse("a-m1-1").unwrap();
    assert_eq!(first.tag_changes, [TagChange { group, condition: Some((Condition::Ended, at(0))) }]);
    assert_eq!(attempts_created(&pass(&first.memory, at(60), undated())), [2], "from memory");
    let mut tagged = undated();
    tagged.tags_mut().insert("ended_since".into(), "2026-01-05T10:00:00Z".into());
    let restarted = pass(&Memory::default(), at(60), tagged);
    assert_eq!(attempts_created(&restarted), [2], "from the tag");
    assert_eq!(restarted.tag_changes, []);
}

#[test]
fn an_end_that_is_still_to_come_is_taken_for_now() {
    let groups = vec![attempt("a", 1, 1, exited(1, 100_000))];
    let plan = planned(10, groups, vec![subscription("a", messages(1..=1))]);
    assert!(matches!(outcome(&plan), MessageOutcome::BackingOff { until, .. } if *until == at(60)));
}

#[test]
fn records_go_that_are_too_many_and_are_remembered() {
    let groups: Vec<_> = (1..=20).map(|number| attempt("a", number, 2, exited(1, number - 60))).collect();
    let busy = (0..2).map(|n| group_of("b", &format!("x{n}"), "Running"));
    let subscriptions = || vec![subscription("a", messages(1..=20)), subscription("b", Vec::new())];
    let plan = planned(2, groups.iter().cloned().chain(busy).collect(), subscriptions());
    // 2 + 8 groups may be there, 2 are active; the first and the last failure stay.
    assert_eq!(deleted(&plan).len(), 12);
    assert!(!deleted(&plan).contains(&"a-m1-2") && !deleted(&plan).contains(&"a-m20-2"));
    assert!(plan.deletes.iter().all(|delete| delete.reason == DeleteReason::Evicted));
    let rest = groups.into_iter().filter(|observed| !deleted(&plan).contains(&observed.group.name.as_str()));
    let next = planned_by(&policy(2), &plan.memory, at(1), rest.collect(), subscriptions());
    let of_attempt_2 = |(_, outcome): &&(MessageAddress, MessageOutcome)| {
        matches!(outcome, MessageOutcome::BackingOff { attempt: 2, .. })
    };
    assert_eq!(next.messages.iter().filter(of_attempt_2).count(), 20);
}

#[test]
fn a_record_is_not_evicted_while_the_one_before_it_is_there() {
    // Another process may delete the earlier one, because this one follows it.
    let records = |first: ObservedGroup| {
        let others = (2..=10).map(|number| attempt("a", number, 3, exited(1, number)));
        [first, attempt("a", 1, 2, exited(1, 5))].into_iter().chain(others).collect()
    };
    let error = ArmError::Unavailable { reason: "reset".into() };
    let unread = ObservedGroup { look: Look::Failed(error), ..attempt("a", 1, 1, exited(1, 0)) };
    for first in [unread, attempt("a", 1, 1, exited(1, 0))] {
        let plan = planned(1, records(first), vec![subscription("a", messages(1..=10))]);
        assert!(reasons(&plan).iter().any(|(_, reason)| *reason == DeleteReason::Evicted), "{:?}", reasons(&plan));
        assert!(!deleted(&plan).contains(&"a-m1-2"), "{:?}", reasons(&plan));
    }
}

#[test]
fn a_message_whose_record_is_evicted_takes_nobodys_slot_in_that_pass() {
    // One failure in each subscription, so that no breaker holds them up. 9 records may stay beside a cap of 1.
    let names: Vec<_> = (1..=11).map(|number| format!("s{number}")).collect();
    let of_each = || names.iter().zip(1_i64..);
    let groups = of_each().map(|(name, number)| attempt(name, number, 1, exited(1, number - 600))).collect();
    let subscriptions =
        of_each().map(|(name, number)| subscription(name, vec![message(number, &format!("m{number}"))]));
    let plan = planned(1, groups, subscriptions.collect());
    let evicted: Vec<_> = plan.deletes.iter().filter_map(|delete| delete.group.sequence_number()).collect();
    assert_eq!(evicted, [9, 10, 11], "the newest");
    let reserves: Vec<_> = plan.reserves.iter().map(|create| create.message.sequence_number).collect();
    assert_eq!((created(&plan), reserves), (vec!["s1/m1".to_owned()], (2..=8).collect()));
    let waiting: BTreeMap<_, _> =
        plan.messages.iter().map(|(message, outcome)| (message.sequence_number, outcome)).collect();
    assert_eq!(waiting, BTreeMap::from([9, 10, 11].map(|number| (number, &MessageOutcome::WaitingCapacity))));
}

#[test]
fn what_is_remembered_is_forgotten_with_its_message() {
    let groups: Vec<_> = (1..=20).map(|number| attempt("a", number, 1, exited(1, 0))).collect();
    let plan = planned(2, groups, vec![subscription("a", messages(1..=20))]);
    assert_eq!(plan.memory.deleted_records.len(), 10);
    let next = planned_by(&policy(2), &plan.memory, at(1), Vec::new(), vec![read_to("a", Vec::new(), 0, &[])]);
    assert_eq!(next.memory.deleted_records.len(), 20, "nobody knows, and the other records have gone without us");
    let next = planned_by(&policy(2), &plan.memory, at(1), Vec::new(), vec![subscription("a", Vec::new())]);
    assert_eq!(next.memory.deleted_records.len(), 0);
}
