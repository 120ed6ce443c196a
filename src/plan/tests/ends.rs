//! Scenarios of groups that are deleted: finished, stuck, overrun and orphaned ones.

use super::*;

fn finished() -> Vec<ObservedGroup> {
    vec![attempt("a", 5, 1, exited(0, 0))]
}

#[test]
fn a_finished_group_goes_when_its_message_is_known_to_be_gone_and_only_then() {
    let goes = |observed| deleted(&planned(9, finished(), vec![observed])) == ["a-m5-1"];
    assert!(goes(subscription("a", messages(1..=4))), "read to the end");
    assert!(goes(read_to("a", vec![message(4, "m4"), message(6, "m6")], 6, &[])), "read past it");
    assert!(goes(read_to("a", messages(1..=2), 2, &[5])), "looked up");
    assert!(goes(subscription("b", Vec::new())), "its subscription is gone");
    assert!(goes(subscription("a", vec![message(5, "other")])), "its number is another's");
    assert!(!goes(read_to("a", messages(1..=2), 2, &[])), "not read so far");
    assert!(!goes(subscription("a", messages(1..=5))), "still there");
}

#[test]
fn a_finished_group_goes_when_its_message_is_set_aside_or_expired() {
    for message in [
        PeekedMessage { state: MessageState::Deferred, ..message(5, "m5") },
        PeekedMessage { expires_at: Some(NOW), ..message(5, "m5") },
    ] {
        let plan = planned(9, finished(), vec![subscription("a", vec![message])]);
        assert_eq!(reasons(&plan), [("a-m5-1", DeleteReason::Finished)]);
    }
    let valid = PeekedMessage { expires_at: Some(at(1)), ..message(5, "m5") };
    assert_eq!(planned(9, finished(), vec![subscription("a", vec![valid])]).deletes.len(), 0);
}

#[test]
fn a_finished_group_whose_message_was_not_read_stays() {
    let plan = planned(9, finished(), vec![read_to("a", Vec::new(), 0, &[])]);
    assert_eq!(plan.groups[0].1, GroupOutcome::MessageUnknown);
    let skipped = vec![attempt("Skipped", 5, 1, exited(0, 0))];
    assert_eq!(planned(9, skipped, Vec::new()).groups[0].1, GroupOutcome::MessageUnknown);
}

#[test]
fn a_group_of_an_earlier_scaler_is_finished_when_no_subscription_has_its_message() {
    let old = || vec![group("old", &[("message_id", "m1")], "Terminated")];
    let of = |subscriptions| deleted(&planned(9, old(), subscriptions)).len();
    assert_eq!(of(vec![subscription("a", Vec::new()), subscription("b", Vec::new())]), 1);
    assert_eq!(of(vec![subscription("a", Vec::new()), subscription("b", messages(1..=1))]), 0);
    assert_eq!(of(vec![subscription("a", Vec::new()), read_to("b", Vec::new(), 9, &[])]), 0);
}

#[test]
fn a_group_whose_subscription_cannot_be_served_stays_and_so_does_one_whose_message_may_be_there() {
    let unserved = |name: &str| UnservedSubscription { name: name.into(), reason: Unserved::Disabled, counts: None };
    let of = |group: ObservedGroup, unserved| {
        let snapshot = Snapshot { groups: vec![group], unserved_subscriptions: vec![unserved], ..Snapshot::default() };
        plan(&snapshot, &Memory::default(), &policy(9), NOW).groups.first().map(|(_, outcome)| outcome.clone())
    };
    assert_eq!(of(attempt("a", 5, 1, exited(0, 0)), unserved("A")), Some(GroupOutcome::MessageUnknown));
    assert_eq!(of(attempt("a", 5, 1, exited(0, 0)), unserved("b")), None, "its own is gone");
    let old = group("old", &[("message_id", "m1")], "Terminated");
    assert_eq!(of(old, unserved("b")), Some(GroupOutcome::MessageUnknown), "it may be of any");
}

#[test]
fn what_is_remembered_of_a_subscription_that_cannot_be_served_is_not_forgotten() {
    let stuck = waited(1800, tagged(waiting()));
    let after = |unserved_subscriptions| {
        let snapshot = Snapshot { unserved_subscriptions, ..Snapshot::default() };
        plan(&snapshot, &stuck.memory, &policy(9), at(1900)).memory.attempts_in(&"a".into()).count()
    };
    assert_eq!(after(Vec::new()), 0, "it is gone");
    let unserved = UnservedSubscription { name: "a".into(), reason: Unserved::ReceiveDisabled, counts: None };
    assert_eq!(after(vec![unserved]), 1);
}

#[test]
fn what_is_read_where_nothing_is_covered_proves_nothing() {
    let goes = |observed| deleted(&planned(9, finished(), vec![observed])) == ["a-m5-1"];
    let to_the_end = |absent| ObservedSubscription { read: Read::ToTheEnd, ..read_to("a", messages(1..=9), 0, absent) };
    let without_it = |absent| {
        let mut observed = to_the_end(absent);
        observed.messages.retain(|message| message.sequence_number != 5);
        observed
    };
    assert!(!goes(without_it(&[])), "to the end, as the count says");
    assert!(goes(without_it(&[5])), "looked up");
    // Without a sequence number in the group's tags, its message cannot be looked up.
    let unnumbered = |read, messages| {
        let observed = ObservedSubscription { read, ..read_to("a", messages, 0, &[]) };
        deleted(&planned(9, vec![group_of("a", "m5", "Terminated")], vec![observed])).len()
    };
    assert_eq!(unnumbered(Read::ToTheEnd, messages(1..=4)), 1);
    assert_eq!(unnumbered(Read::FarEnough, messages(1..=4)), 0);
    assert_eq!(unnumbered(Read::ToTheEnd, messages(1..=5)), 0);
}

#[test]
fn a_read_that_turns_out_to_have_missed_partitions_proves_no_message_missing() {
    let failed = Read::Failed(PeekError::Unavailable { reason: "dropped".into() });
    for (read, then) in
        [(Read::ToTheEnd, Read::FarEnough), (Read::FarEnough, Read::FarEnough), (failed.clone(), failed)]
    {
        let mut observed = ObservedSubscription { read, ..subscription("a", Vec::new()) };
        observed.uncover();
        assert_eq!((observed.covered_to, observed.read), (0, then));
    }
}

#[test]
fn messages_that_came_in_no_order_are_put_in_that_of_their_age_but_for_one_whose_group_is_in_the_way_of_another() {
    let policy = policy(9);
    let of = |number, id, seconds| PeekedMessage { enqueued_at: Some(at(seconds)), ..message(number, id) };
    let order = |groups: &[ObservedGroup]| {
        let mut messages = [of(1, "m7", 3), of(9, "x", 2), of(8, "x", 2), of(7, "m7", 4), of(5, "y", 1)];
        Reading::of(groups, &Memory::default(), &policy, NOW).put_in_order(&"a".into(), &mut messages);
        messages.map(|message| message.sequence_number)
    };
    assert_eq!(order(&[]), [5, 8, 9, 1, 7]);
    assert_eq!(order(&[attempt("b", 7, 1, exited(1, 0))]), [5, 8, 9, 1, 7], "it is another subscription's");
    let groups = [attempt("a", 7, 1, exited(1, -3600))];
    assert_eq!(order(&groups), [5, 8, 9, 7, 1]);
    // Until the message with the group is read, the other one does not count: it has to wait.
    let is_met_by = |messages: Vec<PeekedMessage>| {
        let one_slot = policy_with(|settings| settings.aci.max_instances = 1);
        Reading::of(&groups, &Memory::default(), &one_slot, NOW).is_met_by(&"a".into(), messages)
    };
    assert!(!is_met_by(vec![of(1, "m7", 3)]));
    assert!(is_met_by(vec![of(1, "m7", 3), of(9, "x", 2)]));
    assert!(is_met_by(vec![of(1, "m7", 3), of(7, "m7", 4)]));
    let subscriptions = vec![read_to("a", vec![of(7, "m7", 4), of(1, "m7", 3)], 0, &[])];
    let plan = planned_by(&policy, &Memory::default(), NOW, groups.to_vec(), subscriptions);
    assert_eq!(attempts_created(&plan), [2], "it is tried again, or neither would ever be served");
}

#[test]
fn a_group_or_what_is_remembered_shows_that_a_topic_is_partitioned() {
    let policy = policy(9);
    let shows =
        |groups: &[ObservedGroup], memory: &Memory| Reading::of(groups, memory, &policy, NOW).has_seen_partitions();
    let first = 1 << 48;
    for (number, partitioned) in [(first - 1, false), (first, true), (i64::MAX, true)] {
        assert_eq!(shows(&[attempt("a", number, 1, running(0))], &Memory::default()), partitioned, "{number}");
        let mut memory = Memory::default();
        let message = MessageAddress { subscription: "a".into(), sequence_number: number, message_id: None };
        let cause = FailureCause { code: "X".into(), reason: String::new(), kind: FailureKind::Refused };
        memory.create_failed(message, cause, NOW);
        assert_eq!(shows(&[], &memory), partitioned, "{number}");
        let reading = Reading::of(&[], &memory, &policy, NOW);
        assert_eq!(reading.to_forget(&"a".into(), 0), [number], "it is looked up to be forgotten");
        assert!(reading.to_forget(&"b".into(), 0).is_empty());
        assert!(reading.to_forget(&"a".into(), number).is_empty());
    }
}

#[test]
fn of_several_messages_of_one_id_the_one_that_waits_keeps_a_group_without_a_number() {
    let aside = |number| PeekedMessage { state: MessageState::Deferred, ..message(number, "m1") };
    let of = |observed| deleted(&planned(9, vec![group_of("a", "m1", "Terminated")], vec![observed])).len();
    assert_eq!(of(subscription("a", vec![aside(1), message(2, "m1")])), 0);
    assert_eq!(of(subscription("a", vec![message(1, "m1"), aside(2)])), 0);
    assert_eq!(of(read_to("a", vec![aside(1)], 1, &[])), 1);
}

/// The plan for a group that a pass saw waiting this many seconds ago.
fn waited(seconds: i64, observed: ObservedGroup) -> Plan {
    let subscriptions = || vec![subscription("a", messages(5..=5))];
    let first = planned_by(&policy(9), &Memory::default(), NOW, vec![attempt("a", 5, 1, waiting())], subscriptions());
    planned_by(&policy(9), &first.memory, at(seconds), vec![observed], subscriptions())
}

/// A group that was tagged as waiting at [`NOW`].
fn tagged(state: crate::container_group::ContainerState) -> ObservedGroup {
    let mut observed = attempt("a", 5, 1, state);
    observed.tags_mut().insert("waiting_since".into(), "2026-01-05T10:00:00Z".into());
    observed
}

#[test]
fn a_group_that_has_not_begun_to_run_in_half_an_hour_goes_and_counts_as_an_attempt() {
    assert_eq!(waited(1799, tagged(waiting())).deletes.len(), 0);
    assert_eq!(waited(1800, attempt("a", 5, 1, waiting())).deletes.len(), 0, "it may be another of this name");
    let plan = waited(1800, tagged(waiting()));
    assert_eq!(reasons(&plan), [("a-m5-1", DeleteReason::Stuck)]);
    assert!(matches!(outcome(&plan), MessageOutcome::Running { .. }), "it holds its slot until it is gone");
    let next = |seconds| {
        planned_by(&policy(9), &plan.memory, at(seconds), Vec::new(), vec![subscription("a", messages(5..=5))])
    };
    assert!(matches!(outcome(&next(1859)), MessageOutcome::BackingOff { attempt: 1, group: None, .. }));
    assert_eq!(attempts_created(&next(1860)), [1], "named as any process would");
}

#[test]
fn the_record_before_a_group_that_is_stuck_stays_for_the_next_attempt() {
    let mut stuck = attempt("a", 5, 2, waiting());
    stuck.tags_mut().insert("waiting_since".into(), "2026-01-05T09:00:00Z".into());
    let record = || attempt("a", 5, 1, exited(1, -3700));
    let plan = planned(9, vec![record(), stuck], vec![subscription("a", messages(5..=5))]);
    assert_eq!(reasons(&plan), [("a-m5-2", DeleteReason::Stuck)]);
    let next = |seconds| {
        let subscriptions = vec![subscription("a", messages(5..=5))];
        planned_by(&policy(9), &plan.memory, at(seconds), vec![record()], subscriptions)
    };
    assert!(matches!(outcome(&next(119)), MessageOutcome::BackingOff { attempt: 2, .. }));
    assert_eq!(attempts_created(&next(120)), [2]);
}

#[test]
fn that_a_group_waits_is_tagged_when_it_has_for_two_minutes_and_untagged_when_it_runs() {
    assert_eq!(waited(119, attempt("a", 5, 1, waiting())).tag_changes, []);
    let plan = waited(120, attempt("a", 5, 1, waiting()));
    assert_eq!(plan.tag_changes[0].condition, Some((Condition::Waiting, at(120))));
    assert_eq!(waited(300, tagged(waiting())).tag_changes, []);
    assert_eq!(waited(300, tagged(running(200))).tag_changes[0].condition, None);
}

#[test]
fn a_group_that_runs_is_never_stuck_and_a_kept_one_never_goes() {
    assert_eq!(waited(100_000, tagged(running(0))).deletes.len(), 0);
    let mut kept = tagged(waiting());
    kept.tags_mut().insert("keep".into(), "true".into());
    assert_eq!(waited(100_000, kept).groups[0].1, GroupOutcome::Kept);
}

#[test]
fn a_group_that_runs_for_too_long_goes_if_there_is_such_a_thing_as_too_long() {
    let pass = |limit, seconds| {
        let policy = policy_with(|settings| settings.aci.max_runtime = limit);
        let groups = vec![attempt("a", 5, 1, running(0))];
        planned_by(&policy, &Memory::default(), at(seconds), groups, vec![subscription("a", messages(5..=5))])
    };
    let hour = Some(std::time::Duration::from_hours(1));
    assert_eq!(pass(hour, 3599).deletes.len(), 0);
    assert_eq!(reasons(&pass(hour, 3600)), [("a-m5-1", DeleteReason::Overran)]);
    assert_eq!(pass(None, 1_000_000).deletes.len(), 0);
}

#[test]
fn the_record_before_a_group_that_will_soon_run_for_too_long_stays() {
    let policy = policy_with(|settings| settings.aci.max_runtime = Some(std::time::Duration::from_hours(1)));
    let deleted_at = |seconds| {
        let groups = vec![attempt("a", 5, 1, exited(1, -90)), attempt("a", 5, 2, running(0))];
        let subscriptions = vec![subscription("a", messages(5..=5))];
        let plan = planned_by(&policy, &Memory::default(), at(seconds), groups, subscriptions);
        deleted(&plan).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(deleted_at(3300), ["a-m5-1"]);
    assert_eq!(deleted_at(3301), [""; 0], "the third attempt will follow it");
}

/// The plan for a running group of message 5 that was tagged as orphaned at `since`, and the subscription as observed.
fn orphan(delete_orphans: bool, since: Option<&str>, observed: ObservedSubscription) -> Plan {
    let policy = policy_with(|settings| settings.processing.delete_orphans = delete_orphans);
    let mut group = attempt("a", 5, 1, running(-9000));
    if let Some(since) = since {
        group.tags_mut().insert("orphaned_since".into(), since.into());
    }
    planned_by(&policy, &Memory::default(), NOW, vec![group], vec![observed])
}

const TEN_MINUTES_AGO: Option<&str> = Some("2026-01-05T09:50:00Z");

#[test]
fn an_orphan_goes_when_a_look_up_says_so_and_it_has_been_one_for_long_enough() {
    let absent = || read_to("a", Vec::new(), 0, &[5]);
    assert_eq!(reasons(&orphan(true, TEN_MINUTES_AGO, absent())), [("a-m5-1", DeleteReason::Orphaned)]);
    for (delete_orphans, since, observed) in [
        (false, TEN_MINUTES_AGO, absent()),
        (true, Some("2026-01-05T09:50:01Z"), absent()),
        (true, Some("2026-01-05T10:00:01Z"), absent()),
        (true, Some("long ago"), absent()),
        (true, None, absent()),
        (true, TEN_MINUTES_AGO, subscription("a", Vec::new())),
        (true, TEN_MINUTES_AGO, read_to("a", Vec::new(), 0, &[])),
        (true, TEN_MINUTES_AGO, subscription("a", messages(5..=5))),
        (true, TEN_MINUTES_AGO, subscription("a", vec![PeekedMessage { expires_at: Some(NOW), ..message(5, "m5") }])),
    ] {
        let plan = orphan(delete_orphans, since, observed);
        assert_eq!(plan.groups[0].1, GroupOutcome::Active, "{delete_orphans} {since:?}");
    }
}

#[test]
fn an_orphan_goes_when_its_subscription_does() {
    assert_eq!(
        reasons(&orphan(true, TEN_MINUTES_AGO, subscription("b", Vec::new()))),
        [("a-m5-1", DeleteReason::Orphaned)]
    );
}

#[test]
fn a_group_that_does_not_run_yet_is_no_orphan() {
    let policy = policy_with(|settings| {
        settings.processing.delete_orphans = true;
        settings.processing.orphan_grace = std::time::Duration::ZERO;
    });
    let pass = |state| {
        let subscriptions = vec![read_to("a", Vec::new(), 0, &[5])];
        let mut observed = attempt("a", 5, 1, state);
        observed.tags_mut().insert("orphaned_since".into(), "2026-01-05T10:00:00Z".into());
        planned_by(&policy, &Memory::default(), NOW, vec![observed], subscriptions)
    };
    assert_eq!(pass(waiting()).groups[0].1, GroupOutcome::Active);
    assert_eq!(reasons(&pass(running(0))), [("a-m5-1", DeleteReason::Orphaned)]);
}

#[test]
fn an_orphan_is_marked_at_first_sight_and_unmarked_when_its_message_is_found_again() {
    assert_eq!(
        orphan(true, None, subscription("a", Vec::new())).tag_changes[0].condition,
        Some((Condition::Orphaned, NOW))
    );
    assert_eq!(orphan(true, TEN_MINUTES_AGO, subscription("a", Vec::new())).tag_changes, []);
    assert_eq!(orphan(true, TEN_MINUTES_AGO, subscription("a", messages(5..=5))).tag_changes[0].condition, None);
    assert_eq!(orphan(false, None, subscription("a", Vec::new())).tag_changes, []);
}

#[test]
fn nothing_that_is_not_finished_goes_with_its_subscription_unread() {
    let failed = || ObservedSubscription {
        read: Read::Failed(PeekError::Unavailable { reason: "dropped".into() }),
        ..read_to("a", Vec::new(), 0, &[5])
    };
    assert_eq!(orphan(true, TEN_MINUTES_AGO, failed()).groups[0].1, GroupOutcome::Active);
    let mut stuck = attempt("a", 5, 1, waiting());
    stuck.tags_mut().insert("waiting_since".into(), "2026-01-05T09:00:00Z".into());
    assert_eq!(planned(9, vec![stuck], vec![failed()]).groups[0].1, GroupOutcome::SubscriptionUnread);
}

#[test]
fn a_group_with_an_empty_name_of_a_subscription_matches_on_the_id_alone() {
    let groups = vec![group("old", &[("subscription_name", ""), ("message_id", "m1")], "Running")];
    assert!(matches!(
        outcome(&planned(9, groups, vec![subscription("a", messages(1..=1))])),
        MessageOutcome::Running { .. }
    ));
}
