//! Scenarios of the planner: each clause of the module's promises, and its negation.

mod attempts;
mod bill;
mod breaker;
mod clocks;
mod ends;
mod failed_creates;
mod fixtures;
mod memory;
mod out_of_memory;
mod ownership;
mod retries;
mod starts;
mod subscription_caps;
mod vanished;

use fixtures::*;
use time::Duration;

use super::*;
use crate::container_group::{Container, ContainerGroup, GroupName};
use crate::message::{InvalidMessage, MessageAddress, MessageId, MessageState, PeekedMessage};
use crate::services::{ArmError, PeekError, Unserved};
use crate::test_support::NOW;

#[test]
fn every_new_message_gets_a_group_that_the_plan_holds_in_full() {
    let plan = planned(10, Vec::new(), vec![subscription("small", vec![message(7, "m7")])]);
    let spec = &plan.creates[0].spec;
    assert_eq!(spec.memory.to_string(), "1");
    assert_eq!(spec.subscription.as_str(), "small");
    insta::assert_debug_snapshot!(spec.tags, @r#"
    {
        "aci_scaler": "worker",
        "attempt": "1",
        "file_size_mb": "128",
        "managed_by": "worker",
        "message_id": "m7",
        "sequence_number": "7",
        "subscription_name": "small",
    }
    "#);
}

#[test]
fn a_plan_says_how_full_the_cap_was_and_names_its_messages() {
    let groups = vec![group_of("a", "m1", "Running"), group_of("a", "gone", "Terminated")];
    let unusable = PeekedMessage { message_id: Err(InvalidMessage::NoMessageId), ..message(2, "") };
    let plan = planned(7, groups, vec![subscription("a", vec![message(1, "m1"), unusable])]);
    assert_eq!(plan.capacity, Capacity { max: 7, active: 1 });
    let names: Vec<_> = plan.messages.iter().map(|(message, _)| message.to_string()).collect();
    assert_eq!(names, ["Message m1 of a", "The message with sequence number 2 of a"]);
}

#[test]
fn the_same_snapshot_makes_the_same_plan() {
    let make = || {
        planned(
            3,
            vec![group_of("a", "m1", "Terminated")],
            vec![subscription("a", messages(1..=9)), subscription("b", messages(1..=9))],
        )
    };
    assert_eq!(format!("{:?}", make()), format!("{:?}", make()));
}

#[test]
fn a_message_that_has_a_running_or_a_just_finished_group_gets_no_other() {
    let running = planned(10, vec![group_of("a", "m1", "Running")], vec![subscription("a", messages(1..=1))]);
    assert!(matches!(outcome(&running), MessageOutcome::Running { .. }));
    let finished = planned(10, vec![group_of("a", "m1", "Terminated")], vec![subscription("a", messages(1..=1))]);
    assert!(matches!(outcome(&finished), MessageOutcome::BackingOff { attempt: 1, .. }));
}

#[test]
fn a_message_with_a_finished_and_a_running_group_is_running() {
    let groups = vec![group("x", &[("message_id", "m1")], "Running"), group_of("a", "m1", "Terminated")];
    assert!(matches!(
        outcome(&planned(10, groups, vec![subscription("a", messages(1..=1))])),
        MessageOutcome::Running { .. }
    ));
}

#[test]
fn the_same_id_in_another_subscription_is_another_message() {
    let plan = planned(10, vec![group_of("a", "m1", "Running")], vec![subscription("b", messages(1..=1))]);
    assert_eq!(created(&plan), ["b/m1"]);
}

#[test]
fn names_of_subscriptions_and_keys_of_tags_have_no_case_of_their_own() {
    let groups = vec![group("x", &[("Subscription_Name", "SMALL"), ("Message_Id", "m1")], "Running")];
    assert!(matches!(
        outcome(&planned(10, groups, vec![subscription("small", messages(1..=1))])),
        MessageOutcome::Running { .. }
    ));
}

#[test]
fn ids_of_messages_have_case() {
    let plan = planned(10, vec![group_of("a", "M1", "Running")], vec![subscription("a", messages(1..=1))]);
    assert_eq!(created(&plan), ["a/m1"]);
}

#[test]
fn a_group_of_an_earlier_scaler_matches_on_the_id_alone() {
    let groups = vec![group("old", &[("message_id", "m1")], "Running")];
    assert!(matches!(
        outcome(&planned(10, groups, vec![subscription("a", messages(1..=1))])),
        MessageOutcome::Running { .. }
    ));
}

#[test]
fn a_second_message_of_the_same_id_gets_no_group() {
    let plan = planned(10, Vec::new(), vec![subscription("a", vec![message(1, "m"), message(2, "m")])]);
    assert_eq!(created(&plan), ["a/m"]);
    assert_eq!(plan.creates[0].message.sequence_number, 1);
    assert_eq!(plan.messages[0].1, MessageOutcome::Duplicate);
}

#[test]
fn an_invalid_message_does_not_stand_in_the_way_of_a_valid_one_of_the_same_id() {
    let invalid = PeekedMessage { file_size_mb: Err(InvalidMessage::NoFileSize), ..message(1, "m") };
    let plan = planned(10, Vec::new(), vec![subscription("a", vec![invalid, message(2, "m")])]);
    assert_eq!(plan.creates[0].message.sequence_number, 2);
}

#[test]
fn deferred_scheduled_expired_and_invalid_messages_get_no_group() {
    let of = |message| outcome(&planned(10, Vec::new(), vec![subscription("a", vec![message])])).clone();
    assert_eq!(of(PeekedMessage { state: MessageState::Deferred, ..message(1, "m") }), MessageOutcome::Deferred);
    assert_eq!(of(PeekedMessage { state: MessageState::Scheduled, ..message(1, "m") }), MessageOutcome::Scheduled);
    assert_eq!(of(PeekedMessage { expires_at: Some(NOW), ..message(1, "m") }), MessageOutcome::Expired);
    let no_size = PeekedMessage { file_size_mb: Err(InvalidMessage::NoFileSize), ..message(1, "m") };
    assert_eq!(of(no_size), invalid(&InvalidMessage::NoFileSize));
    let no_id = PeekedMessage { message_id: Err(InvalidMessage::NoMessageId), ..message(1, "m") };
    assert_eq!(of(no_id), invalid(&InvalidMessage::NoMessageId));
}

#[test]
fn a_message_that_expires_later_gets_a_group() {
    let soon = PeekedMessage { expires_at: Some(NOW + Duration::MILLISECOND), ..message(1, "m") };
    assert_eq!(created(&planned(10, Vec::new(), vec![subscription("a", vec![soon])])), ["a/m"]);
}

#[test]
fn the_cap_counts_what_is_active_and_what_is_planned() {
    let groups = vec![group_of("a", "x", "Running"), group_of("a", "y", "Waiting")];
    let plan = planned(5, groups, vec![subscription("a", messages(1..=9))]);
    assert_eq!(created(&plan), ["a/m1", "a/m2", "a/m3"]);
    assert_eq!(plan.reserves.len(), 6, "they wait for a slot");
}

#[test]
fn more_active_groups_than_the_cap_leave_no_slot() {
    let groups = (0..5).map(|n| group_of("a", &format!("x{n}"), "Running")).collect();
    assert_eq!(
        *outcome(&planned(3, groups, vec![subscription("a", messages(1..=1))])),
        MessageOutcome::WaitingCapacity
    );
}

#[test]
fn finished_groups_hold_no_slot() {
    let groups = vec![group_of("a", "x", "Terminated"), group_of("a", "y", "Failed")];
    assert_eq!(created(&planned(1, groups, vec![subscription("a", messages(1..=1))])), ["a/m1"]);
}

#[test]
fn a_full_cap_still_cleans_up() {
    let groups = vec![group_of("a", "x", "Running"), group_of("a", "y", "Terminated")];
    let plan = planned(1, groups, vec![subscription("a", messages(1..=1))]);
    assert_eq!(created(&plan), Vec::<String>::new());
    assert_eq!(deleted(&plan), ["a-y"]);
}

#[test]
fn a_group_with_an_unknown_state_holds_its_slot_and_stays() {
    for state in ["", "Paused", "Unknown"] {
        let plan = planned(1, vec![group_of("a", "x", state)], vec![subscription("a", messages(1..=1))]);
        assert_eq!(created(&plan), Vec::<String>::new(), "{state}");
        assert_eq!(plan.groups[0].1, GroupOutcome::Active, "{state}");
    }
}

#[test]
fn a_group_whose_state_could_not_be_read_holds_its_slot_and_stays() {
    let error = ArmError::Unavailable { reason: "reset".into() };
    let unread = ObservedGroup { look: Look::Failed(error.clone()), ..group_of("a", "x", "Terminated") };
    let plan = planned(1, vec![unread], vec![subscription("a", messages(1..=1))]);
    assert_eq!(created(&plan), Vec::<String>::new());
    assert_eq!(plan.groups[0].1, GroupOutcome::Unread { reason: error.to_string() });
}

#[test]
fn a_group_is_finished_only_when_its_worker_is_or_all_are_where_none_is_named_so() {
    let with = |name: &str, state: &str| {
        let mut half = group_of("a", "x", state);
        half.group_mut().containers[0].name = name.into();
        half.group_mut().containers.push(Container {
            name: "sidecar".into(),
            state: None,
            events: Vec::new(),
            memory: None,
        });
        deleted(&planned(1, vec![half], Vec::new())).len()
    };
    assert_eq!((with("worker", "Terminated"), with("worker", "Running"), with("job", "Terminated")), (1, 0, 0));
    let mut empty = group_of("a", "x", "Terminated");
    empty.group_mut().containers.clear();
    assert_eq!(deleted(&planned(1, vec![empty], Vec::new())), Vec::<&str>::new());
}

#[test]
fn a_group_whose_provisioning_failed_is_finished_unless_its_container_runs_all_the_same() {
    for (state, goes) in [("", true), ("Waiting", true), ("Terminated", true), ("Paused", true), ("Running", false)] {
        let mut failed = group_of("a", "x", state);
        failed.group_mut().provisioning_state = "Failed".into();
        assert_eq!(deleted(&planned(1, vec![failed], Vec::new())).len(), usize::from(goes), "{state}");
    }
}

#[test]
fn a_group_that_is_to_be_kept_stays() {
    let mut kept = group_of("a", "x", "Terminated");
    kept.tags_mut().insert("Keep".into(), "True".into());
    let plan = planned(1, vec![kept], Vec::new());
    assert_eq!(plan.groups[0].1, GroupOutcome::Kept);
    let mut not_kept = group_of("a", "x", "Terminated");
    not_kept.tags_mut().insert("keep".into(), "false".into());
    assert_eq!(deleted(&planned(1, vec![not_kept], Vec::new())), ["a-x"]);
}

#[test]
fn a_finished_group_of_a_subscription_that_could_not_be_read_stays() {
    let failed = |name| ObservedSubscription {
        read: Read::Failed(PeekError::TimedOut { after: std::time::Duration::from_secs(20) }),
        ..subscription(name, Vec::new())
    };
    let groups =
        vec![group_of("a", "x", "Terminated"), group_of("b", "x", "Terminated"), group("old", &[], "Terminated")];
    let plan = planned(1, groups, vec![failed("A"), subscription("b", Vec::new())]);
    assert_eq!(deleted(&plan), ["b-x"]);
    assert!(plan.groups.iter().all(|(_, keep)| *keep == GroupOutcome::SubscriptionUnread));
}

#[test]
fn what_was_read_of_a_subscription_before_it_failed_is_served() {
    let read = Read::Failed(PeekError::Unavailable { reason: "dropped".into() });
    let partly = ObservedSubscription { read, ..subscription("a", messages(1..=2)) };
    assert_eq!(created(&planned(5, Vec::new(), vec![partly])), ["a/m1", "a/m2"]);
}

#[test]
fn slots_go_to_the_subscription_with_the_fewest_groups_then_by_name_oldest_message_first() {
    let groups = vec![group_of("a", "x", "Running"), group_of("a", "y", "Running"), group_of("b", "x", "Running")];
    let subscriptions = ["c", "b", "a"].map(|name| subscription(name, messages(1..=4))).to_vec();
    let plan = planned(10, groups, subscriptions);
    assert_eq!(created(&plan), ["c/m1", "b/m1", "c/m2", "a/m1", "b/m2", "c/m3", "a/m2"]);
}

#[test]
fn no_subscription_waits_behind_the_backlog_of_another() {
    let plan = planned(4, Vec::new(), vec![subscription("a", messages(1..=1000)), subscription("z", messages(1..=1))]);
    assert_eq!(created(&plan), ["a/m1", "z/m1", "a/m2", "a/m3"]);
}
