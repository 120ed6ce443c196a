//! Scenarios of groups that do not start.

use super::*;
use crate::container_group::ContainerEvent;

fn event(name: &str, is_warning: bool, seconds: i64) -> ContainerEvent {
    ContainerEvent { name: name.into(), message: "no such image".into(), is_warning, first_at: Some(at(seconds)) }
}

/// A group that starts, with these events and Azure's word for why it waits.
fn starting(word: &str, events: &[ContainerEvent]) -> ObservedGroup {
    let mut observed = attempt("a", 5, 1, waiting());
    let group = observed.group_mut();
    group.provisioning_state = "Creating".into();
    group.containers[0].state.as_mut().unwrap().detail_status = Some(word.into());
    group.containers[0].events = events.to_vec();
    observed
}

fn pass(memory: &Memory, seconds: i64, observed: ObservedGroup) -> Plan {
    planned_by(&policy(9), memory, at(seconds), vec![observed], vec![subscription("a", messages(5..=5))])
}

#[test]
fn a_start_that_azure_says_is_failing_is_reported_at_once_and_counts_after_five_minutes() {
    let failing = || starting("ImagePullBackOff", &[event("Pulling", false, 0), event("Failed", true, 10)]);
    let first = pass(&Memory::default(), 11, failing());
    let (reason, since) = ("ImagePullBackOff: no such image".to_owned(), Some(at(10)));
    assert_eq!(first.groups[0].1, GroupOutcome::StartFailing { attempt: 1, reason: reason.clone(), since });
    let group = GroupName::parse("a-m5-1").unwrap();
    assert_eq!(*outcome(&first), MessageOutcome::Running { group, reason: Some(reason), since });
    assert_eq!(reasons(&pass(&Memory::default(), 309, failing())), []);
    assert_eq!(reasons(&pass(&Memory::default(), 310, failing())), [("a-m5-1", DeleteReason::Stuck)]);
}

#[test]
fn azures_events_say_since_when_a_group_starts_to_any_process() {
    let slow = || starting("", &[event("Pulling", false, 0)]);
    assert_eq!(reasons(&pass(&Memory::default(), 1799, slow())), []);
    assert_eq!(reasons(&pass(&Memory::default(), 1800, slow())), [("a-m5-1", DeleteReason::Stuck)]);
    let again = || starting("", &[event("Pulling", false, 0), event("Started", false, 5)]);
    assert_eq!(reasons(&pass(&Memory::default(), 1800, again())), [], "it has run since");
    let skewed = || starting("", &[event("Pulling", false, 100_000)]);
    assert_eq!(reasons(&pass(&Memory::default(), 1800, skewed())), [], "that moment is still to come");
}

#[test]
fn a_process_that_has_only_begun_to_watch_tags_what_waits_at_first_sight() {
    let first = pass(&Memory::default(), 0, starting("", &[]));
    assert_eq!(first.tag_changes[0].condition, Some((Condition::Waiting, at(0))));
    let seen_before = planned(9, Vec::new(), vec![subscription("a", messages(5..=5))]).memory;
    assert_eq!(pass(&seen_before, 0, starting("", &[])).tag_changes, []);
}

#[test]
fn where_azure_refuses_the_tag_three_times_the_watch_of_one_process_counts() {
    let group = [GroupName::parse("a-m5-1").unwrap()];
    let mut memory = pass(&Memory::default(), 0, starting("", &[])).memory;
    for refused in 0..4 {
        let stuck = reasons(&pass(&memory, 1800, starting("", &[]))) == [("a-m5-1", DeleteReason::Stuck)];
        assert_eq!(stuck, refused >= 3, "{refused}");
        memory.tags_refused(&group);
        memory = pass(&memory, 60, starting("", &[])).memory;
    }
    let other = attempt("a", 6, 1, waiting());
    let mut other_of_the_name = starting("", &[]);
    other_of_the_name.group_mut().tags = other.group.tags.clone();
    assert_eq!(reasons(&pass(&memory, 1800, other_of_the_name)), [], "it is another message's");
}

#[test]
fn a_record_whose_sidecar_runs_stays_no_longer_than_a_group_is_given_to_start() {
    let with_sidecar = |tagged: bool| {
        let mut observed = attempt("a", 5, 10, exited(1, 0));
        let sidecar = Container { name: "sidecar".into(), state: Some(running(0)), events: Vec::new(), memory: None };
        observed.group_mut().containers.push(sidecar);
        if tagged {
            observed.tags_mut().insert("ended_since".into(), "2026-01-05T10:00:00Z".into());
        }
        observed
    };
    let first = pass(&Memory::default(), 0, with_sidecar(false));
    assert_eq!(first.tag_changes[0].condition, Some((Condition::Ended, at(0))));
    assert_eq!(reasons(&pass(&Memory::default(), 1799, with_sidecar(true))), []);
    assert_eq!(reasons(&pass(&Memory::default(), 1800, with_sidecar(true))), [("a-m5-10", DeleteReason::Stuck)]);
}
