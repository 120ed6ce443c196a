//! Scenarios of clocks that are wrong.

use super::*;

fn snapshot(groups: Vec<ObservedGroup>, messages: Vec<PeekedMessage>) -> Snapshot {
    Snapshot { groups, subscriptions: vec![subscription("a", messages)], time_is_doubtful: true, ..Snapshot::default() }
}

#[test]
fn nothing_is_deleted_for_its_age_while_clocks_differ() {
    let mut waits = attempt("a", 1, 1, waiting());
    waits.tags_mut().insert("waiting_since".into(), "2026-01-05T08:00:00Z".into());
    let runs = attempt("a", 2, 1, running(-100_000));
    let mut orphan = attempt("a", 9, 1, running(-7000));
    orphan.tags_mut().insert("orphaned_since".into(), "2026-01-05T08:00:00Z".into());
    let mut billed = attempt("a", 3, 1, waiting());
    billed.group_mut().provisioning_state = "Failed".into();
    billed.tags_mut().insert("ended_since".into(), "2026-01-05T08:00:00Z".into());
    let policy = policy_with(|settings| {
        settings.aci.max_runtime = Some(std::time::Duration::from_mins(150));
        settings.processing.delete_orphans = true;
        settings.processing.max_attempts = 1.try_into().unwrap();
    });
    let mut snapshot = snapshot(vec![waits, runs, orphan, billed], messages(1..=3));
    snapshot.subscriptions[0].absent = [9].into();
    let planned = |snapshot: &Snapshot| plan(snapshot, &Memory::default(), &policy, NOW);
    assert_eq!(reasons(&planned(&snapshot)), []);
    snapshot.time_is_doubtful = false;
    let mut gone: Vec<_> = reasons(&planned(&snapshot)).into_iter().map(|(_, reason)| reason).collect();
    gone.sort_by_key(|reason| format!("{reason:?}"));
    let expected = [DeleteReason::Orphaned, DeleteReason::Overran, DeleteReason::Stuck, DeleteReason::Stuck];
    assert_eq!(gone, expected);
}

#[test]
fn what_is_remembered_of_a_moment_that_is_still_to_come_counts_as_now() {
    let mut memory = Memory::default();
    let message =
        MessageAddress { subscription: "a".into(), sequence_number: 1, message_id: MessageId::new("m1").ok() };
    let cause = FailureCause { code: "X".into(), reason: "why".into(), kind: FailureKind::Refused };
    memory.create_failed(message, cause, at(3600));
    let pass = |memory: &Memory, seconds| {
        planned_by(&policy(9), memory, at(seconds), Vec::new(), vec![subscription("a", messages(1..=1))])
    };
    let held = pass(&memory, 0);
    assert!(matches!(outcome(&held), MessageOutcome::CreateBackingOff { until, .. } if *until == at(60)));
    assert_eq!(created(&pass(&held.memory, 60)), ["a/m1"]);
}
