//! Scenarios of messages whose count of attempts an operator restarts.

use super::*;
use crate::container_group::Ownership;
use crate::test_support::memory;

/// The same group, tagged by an operator.
fn retried(mut observed: ObservedGroup) -> ObservedGroup {
    observed.tags_mut().insert("retry".into(), "true".into());
    observed
}

/// The group of an attempt after the count was restarted, with this many attempts before.
fn since(attempts_before: u32, mut observed: ObservedGroup) -> ObservedGroup {
    let name = format!("a-m1-{}", attempts_before + observed.group.attempt());
    observed.group_mut().name = GroupName::parse(&name).unwrap();
    observed.tags_mut().insert("attempts_before".into(), attempts_before.to_string());
    observed
}

/// The group of an attempt at message 1, without its own tags.
fn untagged(number: u32, tags: &[(&str, &str)]) -> ObservedGroup {
    let stem = policy(10).recipe.stem(&"a".into(), &MessageId::new("m1").unwrap());
    let mut observed = attempt("a", 1, number, exited(1, 0));
    let group = observed.group_mut();
    group.name = GroupName::parse(&format!("{stem}-{number}")).unwrap();
    group.tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    group.ownership = Ownership::Untagged;
    observed
}

fn pass(memory: &Memory, seconds: i64, groups: Vec<ObservedGroup>) -> Plan {
    planned_by(&policy(10), memory, at(seconds), groups, vec![subscription("a", messages(1..=1))])
}

fn fresh(seconds: i64, groups: Vec<ObservedGroup>) -> Plan {
    pass(&Memory::default(), seconds, groups)
}

/// The number in the name of the only group to be created, which attempt it is, and how many came before.
fn created_as(plan: &Plan) -> (String, String, Option<String>) {
    let spec = &plan.creates[0].spec;
    let number = spec.name.as_str().rsplit('-').next().unwrap().to_owned();
    (number, spec.tags["attempt"].clone(), spec.tags.get("attempts_before").cloned())
}

fn is(number: &str, attempt: &str, before: Option<&str>) -> (String, String, Option<String>) {
    (number.into(), attempt.into(), before.map(str::to_owned))
}

#[test]
fn a_parked_message_that_is_retried_gets_its_first_attempt_again_at_once_under_a_name_of_its_own() {
    let record = || attempt("a", 1, 10, exited(1, 0));
    assert!(matches!(outcome(&fresh(1, vec![record()])), MessageOutcome::Parked { attempts: 10, .. }));
    let plan = fresh(1, vec![retried(record())]);
    assert_eq!(created_as(&plan), is("11", "1", Some("10")));
    assert_eq!(
        plan.creates[0].record.as_ref().map(|record| record.name.as_str()),
        Some("a-m1-10"),
        "it must still be there"
    );
    assert!(matches!(plan.groups[0].1, GroupOutcome::Record { attempt: 10, until: None, .. }), "{:?}", plan.groups);
}

#[test]
fn a_message_that_backs_off_is_tried_at_once_and_the_tag_may_be_written_in_any_case() {
    for (key, value) in [("retry", "true"), ("Retry", "TRUE"), ("RETRY", "True")] {
        let mut record = attempt("a", 1, 3, exited(1, 0));
        record.tags_mut().insert(key.into(), value.into());
        assert_eq!(created_as(&fresh(1, vec![record])), is("4", "1", Some("3")), "{key}={value}");
    }
    for value in ["false", "", "1", "yes"] {
        let mut record = attempt("a", 1, 3, exited(1, 0));
        record.tags_mut().insert("retry".into(), value.into());
        assert!(matches!(outcome(&fresh(1, vec![record])), MessageOutcome::BackingOff { attempt: 3, .. }), "{value}");
    }
}

#[test]
fn the_count_goes_on_from_there_in_every_process() {
    let first = || since(10, attempt("a", 1, 1, exited(1, 0)));
    assert!(matches!(outcome(&fresh(59, vec![first()])), MessageOutcome::BackingOff { attempt: 1, .. }));
    assert_eq!(created_as(&fresh(60, vec![first()])), is("12", "2", Some("10")));
    let second = || since(10, attempt("a", 1, 2, exited(1, 0)));
    assert!(matches!(outcome(&fresh(119, vec![second()])), MessageOutcome::BackingOff { attempt: 2, .. }));
    let last = since(10, attempt("a", 1, 10, exited(1, 0)));
    assert!(matches!(outcome(&fresh(100_000, vec![last])), MessageOutcome::Parked { attempts: 10, .. }));
    let again = retried(since(10, attempt("a", 1, 10, exited(1, 0))));
    assert_eq!(created_as(&fresh(1, vec![again])), is("21", "1", Some("20")));
}

#[test]
fn the_record_goes_when_its_successor_is_there_and_not_before() {
    let groups = vec![retried(attempt("a", 1, 10, exited(1, 0))), since(10, attempt("a", 1, 1, running(0)))];
    let plan = fresh(1, groups);
    assert_eq!(reasons(&plan), [("a-m1-10", DeleteReason::Superseded)]);
    assert!(matches!(outcome(&plan), MessageOutcome::Running { .. }));
}

#[test]
fn processes_that_remember_different_things_ask_for_the_same_group() {
    let record = || retried(attempt("a", 1, 9, exited(1, 0)));
    // A process that saw a tenth attempt deleted.
    let mut stuck = attempt("a", 1, 10, waiting());
    stuck.tags_mut().insert("waiting_since".into(), "2026-01-05T09:00:00Z".into());
    let before = pass(&Memory::default(), 0, vec![attempt("a", 1, 9, exited(1, -5000)), stuck]);
    assert_eq!(reasons(&before), [("a-m1-10", DeleteReason::Stuck)]);
    assert!(matches!(
        outcome(&pass(&before.memory, 1, vec![attempt("a", 1, 9, exited(1, -5000))])),
        MessageOutcome::Parked { attempts: 10, .. }
    ));
    let specs = [&before.memory, &Memory::default()].map(|memory| {
        let plan = pass(memory, 1, vec![record()]);
        format!("{:?}", plan.creates[0].spec)
    });
    assert_eq!(specs[0], specs[1]);
    assert!(specs[0].contains("\"attempts_before\": \"9\""), "{}", specs[0]);
}

#[test]
fn an_attempt_that_does_not_start_after_a_retry_is_the_first_of_the_new_count_and_backs_off() {
    let record = || retried(attempt("a", 1, 9, exited(1, -5000)));
    let mut stuck = since(9, attempt("a", 1, 1, waiting()));
    stuck.tags_mut().insert("waiting_since".into(), "2026-01-05T09:00:00Z".into());
    let plan = pass(&Memory::default(), 0, vec![record(), stuck]);
    assert_eq!(reasons(&plan), [("a-m1-10", DeleteReason::Stuck)]);
    // Its record still has the tag, which must not make every pass try it.
    let next = pass(&plan.memory, 1, vec![record()]);
    assert!(matches!(outcome(&next), MessageOutcome::BackingOff { attempt: 1, .. }), "{:?}", next.messages);
    let next = pass(&next.memory, 60, vec![record()]);
    assert_eq!(created_as(&next), is("10", "1", Some("9")), "the name is the one that all processes agree on");
}

#[test]
fn a_group_that_vanishes_after_a_retry_is_an_attempt_of_the_new_count() {
    let record = || retried(attempt("a", 1, 9, exited(1, -5000)));
    let seen = pass(&Memory::default(), 0, vec![record(), since(9, attempt("a", 1, 1, running(0)))]);
    let gone = pass(&seen.memory, 1, vec![record()]);
    assert!(matches!(outcome(&gone), MessageOutcome::BackingOff { attempt: 1, until, .. } if *until == at(61)));
    // Without any record the numbers in names restart, but this process's count goes on.
    let seen = pass(&Memory::default(), 0, vec![since(9, attempt("a", 1, 2, running(0)))]);
    let gone = pass(&seen.memory, 1, Vec::new());
    assert!(matches!(outcome(&gone), MessageOutcome::BackingOff { attempt: 2, .. }), "{:?}", gone.messages);
    let next = pass(&gone.memory, 1000, Vec::new());
    assert_eq!(created_as(&next), is("1", "1", None));
    let failed = pass(&next.memory, 1001, vec![attempt("a", 1, 1, exited(1, 1001))]);
    assert!(matches!(outcome(&failed), MessageOutcome::BackingOff { attempt: 3, .. }), "{:?}", failed.messages);
}

#[test]
fn an_earlier_group_that_could_not_be_read_makes_nobody_forget_an_attempt_after_a_retry() {
    let seen = pass(&Memory::default(), 0, vec![since(2, attempt("a", 1, 1, running(0)))]);
    let gone = pass(&seen.memory, 1, Vec::new());
    let unread = ObservedGroup {
        look: Look::Failed(ArmError::unavailable("no answer")),
        ..since(1, attempt("a", 1, 1, waiting()))
    };
    let perhaps = pass(&gone.memory, 2, vec![unread]);
    assert!(matches!(outcome(&perhaps), MessageOutcome::Running { .. }), "{:?}", perhaps.messages);
    let next = pass(&perhaps.memory, 3, Vec::new());
    assert!(matches!(outcome(&next), MessageOutcome::BackingOff { attempt: 1, until, .. } if *until == at(61)));
}

#[test]
fn a_record_that_is_gone_after_it_was_tagged_leaves_nothing_to_count() {
    let seen = pass(&Memory::default(), 0, vec![retried(attempt("a", 1, 10, exited(1, 0)))]);
    let gone = pass(&seen.memory, 1, Vec::new());
    assert_eq!(created_as(&gone), is("1", "1", None));
}

#[test]
fn a_retried_record_that_is_evicted_leaves_nothing_to_count() {
    let records = (1..=12).map(|number| retried(attempt("a", number, 3, exited(1, number)))).collect();
    let policy = policy_with(|settings| settings.aci.max_instances = 0);
    let plan = planned_by(&policy, &Memory::default(), at(20), records, vec![subscription("a", messages(1..=12))]);
    assert!(reasons(&plan).iter().any(|(_, reason)| *reason == DeleteReason::Evicted), "{:?}", reasons(&plan));
    assert_eq!(plan.memory.deleted_records.len(), 0);
}

#[test]
fn a_retried_message_is_let_through_although_its_subscription_is_held_up() {
    let failures = || (1..=4).map(|number| attempt("a", number, 1, exited(1, 0)));
    let run = |groups| {
        let subscriptions = vec![subscription("a", messages(1..=9))];
        created(&planned_by(&policy(100), &Memory::default(), at(10), groups, subscriptions))
    };
    assert_eq!(run(failures().collect()), Vec::<String>::new());
    let mut one: Vec<_> = failures().collect();
    one[1] = retried(one[1].clone());
    assert_eq!(run(one), ["a/m2"], "three others have failed");
    assert_eq!(run(failures().map(retried).collect()).len(), 9, "nothing that counts has failed");
    // It does not wait either while another one is tried.
    let mut probed: Vec<_> = failures().chain([attempt("a", 5, 1, waiting())]).collect();
    probed[0] = retried(probed[0].clone());
    assert_eq!(run(probed), ["a/m1"]);
}

#[test]
fn a_retried_message_waits_for_a_slot_like_any_other_and_for_what_its_creates_fail_for() {
    let record = || retried(attempt("a", 1, 10, exited(1, 0)));
    let full = vec![record(), group_of("b", "x", "Running")];
    let plan = planned_by(&policy(1), &Memory::default(), at(1), full, vec![subscription("a", messages(1..=1))]);
    assert_eq!(*outcome(&plan), MessageOutcome::WaitingCapacity);
    let mut memory = Memory::default();
    let cause = FailureCause { code: "no".into(), reason: "no".into(), kind: FailureKind::AboutMessage };
    let message = record().group.sequence_number().map(|sequence_number| MessageAddress {
        subscription: "a".into(),
        sequence_number,
        message_id: MessageId::new("m1").ok(),
    });
    memory.create_failed(message.unwrap(), cause, at(0));
    assert!(matches!(outcome(&pass(&memory, 1, vec![record()])), MessageOutcome::CreateBackingOff { .. }));
}

#[test]
fn what_has_been_learned_of_memory_outlives_a_retry() {
    let mut record = retried(attempt("a", 1, 10, exited(1, 0)));
    record.tags_mut().insert("ran_out_of_gb".into(), "4".into());
    let plan = fresh(1, vec![record]);
    assert_eq!((created_as(&plan), plan.creates[0].spec.memory), (is("11", "1", Some("10")), memory("8")));
}

#[test]
fn an_untagged_record_that_an_operator_tags_is_retried_too() {
    assert_eq!(created_as(&fresh(1, vec![untagged(10, &[("retry", "true")])])), is("11", "1", Some("10")));
    let groups = vec![untagged(10, &[("retry", "true")]), untagged(11, &[("attempts_before", "10")])];
    let plan = fresh(1, groups);
    assert!(matches!(plan.messages[0].1, MessageOutcome::BackingOff { attempt: 1, .. }), "{:?}", plan.messages);
}

#[test]
fn the_name_of_a_group_has_room_for_999_attempts_and_no_retry_makes_more() {
    for record in [retried(attempt("a", 1, 999, exited(1, 0))), since(990, attempt("a", 1, 9, exited(1, 0)))] {
        let plan = fresh(100_000, vec![record]);
        assert!(matches!(outcome(&plan), MessageOutcome::Parked { .. }), "{:?}", plan.messages);
    }
    assert_eq!(created_as(&fresh(1, vec![retried(attempt("a", 1, 998, exited(1, 0)))])), is("999", "1", Some("998")));
}

#[test]
fn tags_that_say_nonsense_of_a_count_are_held_within_the_number_in_the_name() {
    let mut many = attempt("a", 1, 2, exited(1, 0));
    many.tags_mut().insert("attempts_before".into(), "many".into());
    assert!(matches!(outcome(&fresh(1, vec![many])), MessageOutcome::BackingOff { attempt: 2, .. }));
    let more = untagged(3, &[("attempts_before", "7")]);
    assert!(matches!(outcome(&fresh(1, vec![more])), MessageOutcome::BackingOff { attempt: 1, .. }));
    let mut most = attempt("a", 1, 2, exited(1, 0));
    most.tags_mut().insert("attempts_before".into(), u32::MAX.to_string());
    let plan = fresh(1_000_000, vec![most]);
    assert!(matches!(outcome(&plan), MessageOutcome::Parked { .. }), "{:?}", plan.messages);
}

#[test]
fn without_a_back_off_a_tagged_group_goes_as_any_other() {
    let policy = policy_with(|settings| settings.processing.retry_backoff = std::time::Duration::ZERO);
    let groups = vec![retried(attempt("a", 1, 1, exited(1, 0)))];
    let plan = planned_by(&policy, &Memory::default(), NOW, groups, vec![subscription("a", messages(1..=1))]);
    assert_eq!(reasons(&plan), [("a-m1-1", DeleteReason::Finished)]);
    assert!(matches!(outcome(&plan), MessageOutcome::Finished { .. }));
}
