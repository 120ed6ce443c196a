//! Scenarios of groups that somebody else deletes.

use super::*;

fn pass(memory: &Memory, seconds: i64, groups: Vec<ObservedGroup>) -> Plan {
    planned_by(&policy(9), memory, at(seconds), groups, vec![subscription("a", messages(5..=5))])
}

/// After which attempt the only message backs off, and until when; it has no group.
fn backing_off(plan: &Plan) -> Option<(u32, OffsetDateTime)> {
    match outcome(plan) {
        MessageOutcome::BackingOff { attempt, until, group: None, .. } => Some((*attempt, *until)),
        _ => None,
    }
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.vanished.iter().map(GroupName::as_str).collect()
}

#[test]
fn a_running_group_that_is_gone_without_us_was_an_attempt_and_its_message_backs_off() {
    let seen = pass(&Memory::default(), 0, vec![attempt("a", 5, 1, running(0))]);
    let gone = pass(&seen.memory, 30, Vec::new());
    assert_eq!((backing_off(&gone), names(&gone)), (Some((1, at(90))), vec!["a-m5-1"]));
    let MessageOutcome::BackingOff { end, .. } = outcome(&gone) else { panic!("{:?}", outcome(&gone)) };
    assert_eq!(end.reason.as_deref(), Some("its container group is gone, and this scaler did not delete it"));
    assert_eq!(end.since, Some(at(30)));
    let later = pass(&gone.memory, 89, Vec::new());
    assert_eq!((backing_off(&later), names(&later)), (Some((1, at(90))), vec![]), "it is said once");
    let again = pass(&later.memory, 90, Vec::new());
    assert_eq!(attempts_created(&again), [1], "names go by the groups that are there");
    let seen_again = pass(&again.memory, 120, vec![attempt("a", 5, 1, running(100))]);
    let gone_again = pass(&seen_again.memory, 150, Vec::new());
    assert_eq!(backing_off(&gone_again), Some((2, at(270))));
}

#[test]
fn a_message_whose_groups_vanish_again_and_again_is_parked() {
    let mut memory = Memory::default();
    for number in 1..=10 {
        let seen = pass(&memory, number * 10_000, vec![attempt("a", 5, 1, running(number * 10_000))]);
        memory = pass(&seen.memory, number * 10_000 + 30, Vec::new()).memory;
    }
    let parked = pass(&memory, 1_000_000, Vec::new());
    assert!(matches!(outcome(&parked), MessageOutcome::Parked { attempts: 10, group: None, .. }));
}

#[test]
fn a_record_that_is_gone_without_us_is_still_counted_from_its_end() {
    let seen = pass(&Memory::default(), 30, vec![attempt("a", 5, 3, exited(1, 0))]);
    let gone = pass(&seen.memory, 60, Vec::new());
    assert_eq!(backing_off(&gone), Some((3, at(240))));
}

#[test]
fn a_create_that_azure_accepted_and_of_which_nothing_has_come_was_an_attempt() {
    let planned = pass(&Memory::default(), 0, Vec::new());
    assert_eq!(attempts_created(&planned), [1]);
    let (mut memory, address) = (planned.memory, planned.creates[0].message.clone());
    memory.create_succeeded(address, attempt("a", 5, 1, waiting()).group, at(1));
    let nothing = pass(&memory, 60, Vec::new());
    assert_eq!((backing_off(&nothing), names(&nothing)), (Some((1, at(120))), vec!["a-m5-1"]));
}

#[test]
fn a_group_is_not_missed_that_we_delete_whose_message_is_gone_or_that_another_attempt_follows() {
    let ended = attempt("a", 5, 1, exited(0, 0));
    let no_message =
        |memory: &Memory, groups| planned_by(&policy(9), memory, at(60), groups, vec![subscription("a", Vec::new())]);
    let deleted = no_message(&Memory::default(), vec![ended.clone()]);
    assert_eq!(reasons(&deleted), [("a-m5-1", DeleteReason::Finished)]);
    assert!(names(&no_message(&deleted.memory, Vec::new())).is_empty());
    let seen = pass(&Memory::default(), 1, vec![ended]);
    assert!(names(&no_message(&seen.memory, Vec::new())).is_empty());
    let followed = pass(&seen.memory, 200, vec![attempt("a", 5, 2, running(100))]);
    assert!(names(&followed).is_empty());
}

#[test]
fn a_group_is_missed_once_the_next_attempt_that_could_not_be_read_turns_out_not_to_exist() {
    let seen = pass(&Memory::default(), 0, vec![attempt("a", 5, 1, running(0))]);
    let unread =
        ObservedGroup { look: Look::Failed(ArmError::unavailable("no answer")), ..attempt("a", 5, 2, waiting()) };
    let perhaps = pass(&seen.memory, 30, vec![unread.clone()]);
    assert!(names(&perhaps).is_empty());
    let gone = pass(&perhaps.memory, 60, Vec::new());
    assert_eq!((backing_off(&gone), names(&gone)), (Some((1, at(120))), vec!["a-m5-1"]));
    let exists = pass(&perhaps.memory, 60, vec![attempt("a", 5, 2, running(40))]);
    assert!(names(&exists).is_empty());
    // What is read counts, whichever comes first.
    let ended = attempt("a", 5, 1, exited(1, 20));
    for groups in [vec![ended.clone(), unread.clone()], vec![unread.clone(), ended]] {
        let both = pass(&seen.memory, 30, groups);
        assert_eq!(backing_off(&pass(&both.memory, 60, Vec::new())), Some((1, at(80))));
    }
    // One that the scaler deletes is not missed.
    let policy = policy_with(|settings| settings.aci.max_runtime = Some(std::time::Duration::from_mins(1)));
    let overran = vec![attempt("a", 5, 1, running(0)), unread];
    let deleted = planned_by(&policy, &seen.memory, at(90), overran, vec![subscription("a", messages(5..=5))]);
    assert_eq!(reasons(&deleted), [("a-m5-1", DeleteReason::Overran)]);
    assert!(names(&pass(&deleted.memory, 120, Vec::new())).is_empty());
}

#[test]
fn a_group_is_missed_although_another_message_of_its_id_has_one_of_its_name() {
    let seen = pass(&Memory::default(), 0, vec![attempt("a", 5, 1, running(0))]);
    let mut other = attempt("a", 5, 1, running(20));
    other.tags_mut().insert("sequence_number".into(), "7".into());
    let gone = pass(&seen.memory, 30, vec![other]);
    assert_eq!(names(&gone), ["a-m5-1"]);
    assert_eq!(gone.memory.deleted_records.len(), 1);
}

#[test]
fn groups_that_vanish_are_named_and_not_counted_where_no_attempts_are() {
    let policy = policy_with(|settings| settings.processing.retry_backoff = std::time::Duration::ZERO);
    let pass =
        |memory: &Memory, groups| planned_by(&policy, memory, at(0), groups, vec![subscription("a", messages(5..=5))]);
    let seen = pass(&Memory::default(), vec![attempt("a", 5, 1, running(0))]);
    let gone = pass(&seen.memory, Vec::new());
    assert_eq!((names(&gone), attempts_created(&gone)), (vec!["a-m5-1"], vec![1]));
}

#[test]
fn a_group_that_is_gone_without_us_delays_the_next_although_the_record_before_it_has_to_go_in_the_same_pass() {
    let mut first = attempt("a", 5, 1, waiting());
    first.group_mut().provisioning_state = "Failed".into();
    first.tags_mut().insert("ended_since".into(), "2026-01-05T10:00:00Z".into());
    let seen = pass(&Memory::default(), 1990, vec![first.clone(), attempt("a", 5, 2, running(1900))]);
    let gone = pass(&seen.memory, 2000, vec![first]);
    assert_eq!((names(&gone), reasons(&gone)), (vec!["a-m5-2"], vec![("a-m5-1", DeleteReason::Stuck)]));
    assert_eq!(backing_off(&pass(&gone.memory, 2001, Vec::new())), Some((2, at(2120))));
}

#[test]
fn a_group_that_is_gone_without_us_delays_the_next_although_the_record_before_it_is_gone_a_pass_later() {
    let first = attempt("a", 5, 1, exited(1, 0));
    let seen = pass(&Memory::default(), 1990, vec![first.clone(), attempt("a", 5, 2, running(1900))]);
    let gone = pass(&seen.memory, 2000, vec![first]);
    assert_eq!((backing_off(&gone), names(&gone)), (None, vec!["a-m5-2"]));
    let both = pass(&gone.memory, 2010, Vec::new());
    assert_eq!((backing_off(&both), names(&both)), (Some((2, at(2120))), vec!["a-m5-1"]));
}

#[test]
fn while_another_process_may_create_the_group_that_follows_a_deleted_record_none_gets_another_name() {
    let record = || {
        let mut record = attempt("a", 5, 2, waiting());
        record.group_mut().provisioning_state = "Failed".into();
        record.tags_mut().insert("ended_since".into(), "2026-01-05T10:00:00Z".into());
        record
    };
    // The next attempt is due, as another process sees too, when this one deletes the record.
    let messages = vec![subscription("a", messages(5..=5))];
    let mut deleted = planned_by(&policy(0), &Memory::default(), at(2000), vec![record()], messages);
    assert_eq!(reasons(&deleted), [("a-m5-2", DeleteReason::Stuck)]);
    deleted.memory.deleted(&[&GroupName::parse("a-m5-2").unwrap()].into(), at(2010));
    assert_eq!(backing_off(&pass(&deleted.memory, 2039, Vec::new())), Some((2, at(2040))));
    assert_eq!(attempts_created(&pass(&deleted.memory, 2040, Vec::new())), [1]);
    assert_eq!(attempts_created(&pass(&deleted.memory, 2011, vec![record()])), [3], "Azure refused to delete it");
    // Likewise when somebody else has deleted it.
    let seen = pass(&Memory::default(), 1000, vec![record()]);
    let gone = pass(&seen.memory, 1500, Vec::new());
    assert_eq!(backing_off(&gone), Some((2, at(1530))));
    assert_eq!(attempts_created(&pass(&gone.memory, 1530, Vec::new())), [1]);
}
