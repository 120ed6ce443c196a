//! Scenarios of creates that Azure refuses or does not answer.

use super::*;
use crate::container_group::Ownership;

fn refused(code: &str) -> ArmError {
    ArmError::Rejected(Refusal::new(code, "no"))
}

fn cap_and_workers(max_instances: u32, workers: usize) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.aci.max_instances = max_instances;
        settings.processing.max_workers = NonZeroUsize::new(workers).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_in_line_gets_the_slot_of_one_that_is_refused_in_the_same_pass() {
    let (scaler, _) = scaler([("a", messages(1..=4))], cap_and_workers(1, 1));
    scaler.services.groups.create_errors.lock().unwrap().insert("m1", refused("InvalidTag"));
    scaler.services.groups.create_errors.lock().unwrap().insert("m2", refused("X"));
    let counts = BTreeMap::from([("created", 1), ("failed", 2), ("waiting_capacity", 1)]);
    assert_eq!(pass(&scaler).await.message_counts, counts);
}

#[tokio::test(start_paused = true)]
async fn one_that_may_have_been_created_all_the_same_holds_its_slot() {
    for error in [unavailable(), ArmError::Busy(Refusal::new("ContainerGroupTransitioning", ""))] {
        let (scaler, _) = scaler([("a", messages(1..=4))], cap_and_workers(1, 1));
        scaler.services.groups.create_errors.lock().unwrap().insert("m1", error);
        let counts = BTreeMap::from([("failed", 1), ("waiting_capacity", 3)]);
        assert_eq!(pass(&scaler).await.message_counts, counts);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_pass_looks_for_a_group_that_may_exist_and_not_for_one_that_was_refused() {
    for (error, looks) in [(refused("X"), 0), (ArmError::Busy(Refusal::new("ContainerGroupTransitioning", "")), 1)] {
        let (scaler, calls) = scaler([("a", messages(1..=1))], cap_and_workers(1, 1));
        scaler.services.groups.create_errors.lock().unwrap().insert("m1", error);
        pass(&scaler).await;
        assert_eq!(only(&calls, &["get"]).len(), 1, "before the create");
        pass(&scaler).await;
        assert_eq!(only(&calls, &["get"]).len(), looks);
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_not_answered_holds_its_slot_for_15_s_after_it_was_given_up() {
    let (scaler, calls) = scaler([("a", messages(1..=2))], cap_and_workers(1, 1));
    scaler.services.groups.create_errors.lock().unwrap().insert("m1", unavailable());
    pass(&scaler).await;
    tokio::time::advance(Duration::from_secs(14)).await;
    calls.take();
    let counts = BTreeMap::from([("running", 1), ("waiting_capacity", 1)]);
    assert_eq!(pass(&scaler).await.message_counts, counts);
    tokio::time::advance(Duration::from_secs(1)).await;
    let counts = BTreeMap::from([("create_backing_off", 1), ("created", 1)]);
    assert_eq!(pass(&scaler).await.message_counts, counts);
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_all_share_costs_as_many_requests_as_it_takes_to_see_that_and_then_one_a_pass() {
    for (workers, most) in [(1, 3), (3, 3), (4, 4), (8, 8)] {
        for error in [refused("X"), unavailable()] {
            let (scaler, calls) = scaler([("a", messages(1..=50))], cap_and_workers(60, workers));
            *scaler.services.groups.create_error.lock().unwrap() = Some(error);
            let counts = pass(&scaler).await.message_counts;
            let made = only(&calls, &["create", "get"]);
            let creates = made.iter().filter(|call| call.starts_with("create")).count();
            assert!(made.len() <= 2 * creates + 2 * workers, "nothing is looked up in vain: {made:?}");
            assert!((3..=most).contains(&creates), "{creates} of {workers} workers");
            assert_eq!((counts["failed"], counts["held_by_failed_creates"]), (creates, 50 - creates));
            for _ in 0..3 {
                tokio::time::advance(Duration::from_mins(1)).await;
                pass(&scaler).await;
                assert_eq!(only(&calls, &["create"]).len(), 1);
            }
            *scaler.services.groups.create_error.lock().unwrap() = None;
            tokio::time::advance(Duration::from_mins(1)).await;
            assert_eq!(pass(&scaler).await.message_counts["created"], 1);
            tokio::time::advance(Duration::from_mins(1)).await;
            assert!(pass(&scaler).await.message_counts["created"] > 30, "all that were only held");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_subscription_whose_creates_fail_keeps_no_other_from_its_own() {
    let (scaler, _) = scaler([("a", messages(1..=9)), ("b", messages(20..=29))], cap_and_workers(60, 4));
    for id in ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"] {
        scaler.services.groups.create_errors.lock().unwrap().insert(id, refused("X"));
    }
    assert_eq!(pass(&scaler).await.message_counts["created"], 10);
}

#[tokio::test(start_paused = true)]
async fn what_a_refusal_says_of_the_allowance_leaves_room_for_deletes() {
    let (scaler, calls) = scaler([("a", messages(1..=9))], cap_and_workers(60, 1));
    scaler.services.groups.put("done", &[], "Terminated");
    let refusal = Refusal { remaining: Some(6), ..Refusal::new("InvalidTag", "") };
    *scaler.services.groups.create_error.lock().unwrap() = Some(ArmError::Rejected(refusal));
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts, BTreeMap::from([("failed", 1), ("waiting_quota", 8)]));
    assert_eq!((report.group_counts["deleted"], only(&calls, &["create"]).len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn where_answers_show_that_tags_are_rewritten_one_group_is_created_in_a_pass() {
    let (scaler, calls) = scaler([("a", messages(1..=9))], cap_and_workers(60, 3));
    *scaler.services.groups.shown_ownership.lock().unwrap() = Some(Ownership::Untagged);
    for creates in [3, 1] {
        pass(&scaler).await;
        assert_eq!(only(&calls, &["create"]).len(), creates);
    }
    *scaler.services.groups.shown_ownership.lock().unwrap() = Some(Ownership::Tagged);
    pass(&scaler).await;
    assert_eq!(only(&calls, &["create"]).len(), 1);
    pass(&scaler).await;
    assert_eq!(only(&calls, &["create"]).len(), 4, "they are not any more");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_a_list_names_twice_counts_once() {
    let (mut scaler, _) = scaler([("a", messages(1..=4))], cap_and_workers(2, 1));
    scaler.services.groups.lists_twice = true;
    scaler.services.groups.put("busy", &[], "Running");
    let report = pass(&scaler).await;
    assert_eq!((report.capacity.active, report.groups.len(), report.message_counts["created"]), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_fails_counts_as_a_failed_create() {
    let (scaler, calls) = scaler([("a", messages(1..=2))], cap_and_workers(1, 1));
    *scaler.services.groups.get_error.lock().unwrap() = Some(unavailable());
    assert_eq!(pass(&scaler).await.message_counts["failed"], 1);
    assert_eq!(only(&calls, &["create"]).len(), 0);
    *scaler.services.groups.get_error.lock().unwrap() = None;
    let counts = BTreeMap::from([("create_backing_off", 1), ("created", 1)]);
    assert_eq!(pass(&scaler).await.message_counts, counts);
}

const PUT: Duration = Duration::from_secs(4);

#[tokio::test(start_paused = true)]
async fn look_ups_run_ahead_of_the_creates_so_that_only_the_first_takes_time() {
    for (messages_there, workers) in [(1, 1), (10, 1), (10, 4), (50, 16)] {
        let (mut scaler, _) = scaler([("a", messages(1..=messages_there))], cap_and_workers(60, workers));
        scaler.services.groups.create_latency = Some(PUT);
        let report = pass(&scaler).await;
        let rounds = u128::from(messages_there.unsigned_abs()).div_ceil(workers as u128);
        assert_eq!(u128::from(report.steps.create_ms), 100 + rounds * PUT.as_millis(), "{workers} workers");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_is_more_than_5_s_old_is_made_again() {
    for (put, look_ups) in [(4800, 3), (5200, 5)] {
        let (mut scaler, calls) = scaler([("a", messages(1..=3))], cap_and_workers(60, 1));
        scaler.services.groups.create_latency = Some(Duration::from_millis(put));
        assert_eq!(pass(&scaler).await.message_counts["created"], 3);
        assert_eq!(only(&calls, &["get"]).len(), look_ups, "with {put} ms a create");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_later_look_up_shows_counts() {
    let (mut scaler, calls) = scaler([("a", messages(1..=2))], cap_and_workers(60, 1));
    scaler.services.groups.create_latency = Some(Duration::from_secs(6));
    let made_by_another = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let name = calls.take().into_iter().filter_map(|call| call.strip_prefix("get ").map(str::to_owned)).next_back();
        scaler.services.groups.put(&name.expect("both are looked up ahead"), &[], "Running");
    };
    let (report, ()) = tokio::join!(pass(&scaler), made_by_another);
    assert_eq!(report.message_counts, BTreeMap::from([("created", 1), ("found", 1)]));
}

#[tokio::test(start_paused = true)]
async fn no_worker_is_kept_by_a_create_that_waits_for_another_of_its_subscription() {
    let (mut scaler, calls) = scaler([("a", messages(1..=9)), ("b", messages(20..=24))], cap_and_workers(60, 2));
    scaler.services.groups.create_latency = Some(PUT);
    for (index, id) in ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"].into_iter().enumerate() {
        let code = if index % 2 == 0 { "X" } else { "Y" };
        scaler.services.groups.create_errors.lock().unwrap().insert(id, refused(code));
    }
    let report = pass(&scaler).await;
    assert_eq!(report.message_counts["created"], 5);
    let creates = only(&calls, &["create"]).len();
    assert_eq!(u128::from(report.steps.create_ms), 100 + creates.div_ceil(2) as u128 * PUT.as_millis(), "{report:?}");
}
