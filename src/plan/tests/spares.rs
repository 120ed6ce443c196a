//! Scenarios of groups whose own messages are gone.

use super::*;
use crate::container_group::ContainerState;
use crate::message::FileSizeMb;

/// A group that was made for a message with this sequence number, whose file has this many MB.
fn made_for(number: i64, size_mb: &str, state: ContainerState) -> ObservedGroup {
    let mut observed = attempt("a", number, 1, state);
    observed.group.tags.insert("file_size_mb".to_owned(), size_mb.to_owned());
    observed
}

/// A message that came this many seconds after [`NOW`].
fn came(number: i64, at_seconds: i64) -> PeekedMessage {
    PeekedMessage { enqueued_at: Some(at(at_seconds)), ..message(number, &format!("m{number}")) }
}

fn planned_at(seconds: i64, groups: Vec<ObservedGroup>, messages: Vec<PeekedMessage>) -> Plan {
    planned_by(&policy(10), &Memory::default(), at(seconds), groups, vec![subscription("a", messages)])
}

fn waits_for(group: &str, until: i64) -> Skip {
    Skip::WaitingForSpare { group: GroupName::parse(group).unwrap(), until: at(until) }
}

#[test]
fn a_new_message_waits_for_a_group_whose_own_message_is_gone() {
    for state in [waiting(), running(0)] {
        let plan = planned_at(10, vec![made_for(1, "128", state)], vec![came(2, 0)]);
        assert_eq!(*skip(&plan), waits_for("a-m1-1", 60));
    }
}

#[test]
fn it_gets_a_group_of_its_own_one_back_off_after_it_came() {
    let run = |seconds| planned_at(seconds, vec![made_for(1, "128", running(0))], vec![came(2, 0)]);
    assert_eq!(*skip(&run(59)), waits_for("a-m1-1", 60));
    assert_eq!(created(&run(60)), ["a/m2"]);
}

#[test]
fn a_later_attempt_waits_for_as_long_again_as_its_back_off() {
    for (number, due, until) in [(1, 60, 120), (3, 240, 480), (7, 1800, 3600)] {
        let run = |seconds| {
            let spare = made_for(1, "128", running(seconds - 10));
            planned_at(seconds, vec![spare, attempt("a", 2, number, exited(0, 0))], vec![message(2, "m2")])
        };
        assert!(matches!(skip(&run(due - 1)), Skip::BackingOff { .. }));
        assert_eq!(*skip(&run(due)), waits_for("a-m1-1", until));
        assert_eq!(*skip(&run(until - 1)), waits_for("a-m1-1", until));
        assert_eq!(attempts_created(&run(until)), [number + 1]);
    }
}

#[test]
fn without_a_back_off_nothing_waits() {
    let policy = policy_with(|settings| settings.processing.retry_backoff = std::time::Duration::ZERO);
    let groups = vec![made_for(1, "128", running(0))];
    let plan = planned_by(&policy, &Memory::default(), NOW, groups, vec![subscription("a", vec![came(2, 0)])]);
    assert_eq!(created(&plan), ["a/m2"]);
}

#[test]
fn a_message_that_does_not_say_when_it_came_or_is_still_to_come_does_not_wait() {
    let groups = || vec![made_for(1, "128", running(0))];
    assert_eq!(created(&planned_at(10, groups(), vec![message(2, "m2")])), ["a/m2"]);
    assert_eq!(created(&planned_at(10, groups(), vec![came(2, 11)])), ["a/m2"]);
}

#[test]
fn a_group_whose_message_is_there_or_may_be_is_no_spare() {
    let groups = || vec![made_for(1, "128", running(0))];
    assert_eq!(created(&planned_at(10, groups(), vec![came(1, 0), came(2, 0)])), ["a/m2"]);
    let set_aside = PeekedMessage { state: MessageState::Deferred, ..came(1, 0) };
    assert_eq!(created(&planned_at(10, groups(), vec![set_aside, came(2, 0)])), ["a/m2"]);
    // Message 9 may be beyond what was read.
    let unknown = vec![read_to("a", vec![came(2, 0)], 2, &[])];
    let groups = vec![made_for(9, "128", running(0))];
    assert_eq!(created(&planned_by(&policy(10), &Memory::default(), at(10), groups, unknown)), ["a/m2"]);
}

#[test]
fn a_group_that_has_another_message_of_its_id_is_no_spare() {
    let resent = PeekedMessage { message_id: MessageId::new("m1"), ..came(2, 0) };
    let plan = planned_at(10, vec![made_for(1, "128", running(0))], vec![resent, came(3, 0)]);
    assert!(matches!(plan.skips[0].1, Skip::Running(_)));
    assert_eq!(created(&plan), ["a/m3"]);
}

#[test]
fn a_group_that_has_ended_or_could_not_be_read_or_is_of_another_subscription_is_no_spare() {
    let error = ArmError::Unavailable { reason: "reset".into() };
    let unread = ObservedGroup { unread: Some(error), ..made_for(1, "128", running(0)) };
    let mut elsewhere = made_for(1, "128", running(0));
    elsewhere.group.tags.insert("subscription_name".into(), "b".into());
    for group in [made_for(1, "128", exited(0, 0)), unread, elsewhere] {
        assert_eq!(created(&planned_at(10, vec![group], vec![came(2, 0)])), ["a/m2"]);
    }
}

#[test]
fn a_group_counts_for_an_hour() {
    let run = |seconds| planned_at(seconds, vec![made_for(1, "128", running(0))], vec![came(2, seconds)]);
    assert!(matches!(skip(&run(3599)), Skip::WaitingForSpare { .. }));
    assert_eq!(created(&run(3600)), ["a/m2"]);
    let undated = ContainerState { started_at: None, ..running(0) };
    assert_eq!(created(&planned_at(10, vec![made_for(1, "128", undated)], vec![came(2, 0)])), ["a/m2"]);
}

#[test]
fn each_spare_stands_for_one_message_the_oldest_first() {
    let groups = vec![made_for(1, "128", running(0)), made_for(2, "128", running(0))];
    let plan = planned_at(10, groups, (3..=6).map(|number| came(number, 0)).collect());
    assert_eq!(created(&plan), ["a/m5", "a/m6"]);
}

#[test]
fn a_message_that_backs_off_or_is_invalid_takes_a_spare_too() {
    let groups = || vec![made_for(1, "128", running(0)), attempt("a", 2, 1, exited(0, 0))];
    assert_eq!(created(&planned_at(10, groups(), vec![message(2, "m2"), came(3, 0)])), ["a/m3"]);
    let invalid = PeekedMessage { file_size_mb: Err(InvalidMessage::NoFileSize), ..came(2, 0) };
    let groups = vec![made_for(1, "128", running(0))];
    assert_eq!(created(&planned_at(10, groups, vec![invalid, came(3, 0)])), ["a/m3"]);
}

#[test]
fn a_spare_that_is_too_small_does_not_count_and_the_smallest_that_is_not_does() {
    let large = |number| PeekedMessage { file_size_mb: FileSizeMb::from_text("1024"), ..came(number, 0) };
    let small = || made_for(1, "128", running(0));
    assert_eq!(created(&planned_at(10, vec![small()], vec![large(2)])), ["a/m2"]);
    let groups = vec![made_for(8, "1024", running(0)), small()];
    let plan = planned_at(10, groups, vec![came(2, 0), large(3)]);
    assert_eq!(plan.skips[0].1, waits_for("a-m1-1", 60));
    assert_eq!(plan.skips[1].1, waits_for("a-m8-1", 60));
}
