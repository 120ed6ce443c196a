//! Faults and rules: each can be added, is listed while it is in force, and ends.

use std::time::Duration;

use local_azure::client::Client;
use local_azure::container_groups::{Exit, ExitsAtOnce, GroupSnapshot, Phase};
use local_azure::local::TOPIC;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Controlled, GROUPS};

const SERVICE_BUS: &str = "/control/service-bus/faults";
const RESOURCE_MANAGER: &str = "/control/resource-manager/faults";
const RULES: &str = "/control/container-groups/rules";
const TAG_POLICIES: &str = "/control/container-groups/tag-policies";

async fn controlled() -> Controlled {
    Controlled::start(ExitsAtOnce(Exit::Code(0))).await
}

fn is_over(group: &GroupSnapshot) -> bool {
    group.phase.is_over()
}

#[tokio::test]
async fn every_fault_of_service_bus_can_be_asked_for_is_listed_and_ends() {
    let faults = [
        json!({ "operation": "connect", "effect": "drop_connection", "left": 2 }),
        json!({ "operation": "put_token", "effect": "undecodable_reply" }),
        json!({ "operation": "peek", "effect": "broken_frame" }),
        json!({ "operation": "attach", "effect": "hang", "subscription": { "topic": TOPIC, "name": "1-50MB" } }),
        json!({ "operation": "send", "effect": { "delay_ms": 30 }, "probability": 0.5, "seed": 7 }),
        json!({ "operation": "peek", "effect": { "refuse": {
            "status": 503, "condition": "com.microsoft:server-busy", "description": "busy",
        } } }),
        json!({ "operation": "peek", "effect": { "detach_link": { "condition": "amqp:x", "description": "" } } }),
        json!({ "operation": "attach", "effect": { "detach_after_attach": {
            "after_ms": 1, "condition": "amqp:unauthorized-access", "description": "",
        } } }),
        json!({ "operation": "peek", "effect": "wrong_correlation_id" }),
        json!({ "operation": "peek", "effect": "truncated_messages" }),
        json!({ "operation": "peek", "effect": { "page_limit": 2 } }),
        json!({ "operation": "peek", "effect": "repeat_first_page" }),
    ];
    all_are_listed_until_cleared(SERVICE_BUS, faults.as_slice()).await;
}

#[tokio::test]
async fn every_fault_of_resource_manager_can_be_asked_for_is_listed_and_ends() {
    let controlled = controlled().await;
    for answer in [
        json!({ "throttled": { "retry_after_seconds": 5 } }),
        json!({ "too_many_requests": { "retry_after_seconds": 5 } }),
        json!("quota_reached"),
        json!("service_unavailable"),
        json!("token_expired"),
        json!("forbidden"),
        json!("garbage"),
        json!({ "empty": { "status": 502 } }),
        json!({ "error": { "status": 500, "code": "InternalServerError", "retry_after_seconds": 1 } }),
        json!({ "error": { "status": 409, "code": "ScopeLocked", "headers": { "x-own": "1" } } }),
        json!({ "json": { "status": 200, "body": { "value": [] } } }),
    ] {
        let fault = json!({ "operation": "put_group", "effect": { "answer": answer }, "times": 1 });
        let (status, created) = controlled.post(RESOURCE_MANAGER, &fault).await;
        assert_eq!((status, &created["left"]), (201, &json!(1)), "{created}");
    }
    assert_eq!(controlled.get(RESOURCE_MANAGER).await.as_array().unwrap().len(), 11);

    let faults = [
        json!({ "operation": "put_group", "effect": "hang", "name": "worker-1", "after_effect": false }),
        json!({ "operation": "put_group", "effect": "reset", "after_effect": true, "left": 1 }),
        json!({ "operation": "get_group", "effect": { "delay_ms": 250 }, "after_effect": false }),
        json!({ "operation": "list_groups", "effect": "truncate", "after_effect": true }),
        json!({ "operation": "list_groups", "effect": { "page_limit": 1 }, "after_effect": false }),
        json!({
            "operation": "list_topic_subscriptions", "effect": "reset", "after_effect": false,
            "probability": 0.25, "seed": 9,
        }),
        json!({ "operation": "put_group", "effect": { "pretend": 202 }, "message_id": "m1", "after_effect": false }),
        json!({ "operation": "any", "effect": "recorded_latency", "after_effect": false }),
        json!({ "operation": "list_groups", "effect": "repeat_items", "after_effect": false }),
        json!({ "operation": "list_groups", "effect": { "next_link": "to_itself" }, "after_effect": false }),
        json!({ "operation": "list_groups", "effect": { "next_link": "to_first_page" }, "after_effect": false }),
        json!({ "operation": "list_topic_subscriptions", "effect": { "next_link": "endless" }, "after_effect": false }),
        json!({ "operation": "any", "effect": "byte_order_mark", "after_effect": false }),
        json!({ "operation": "any", "effect": { "date_offset_seconds": -3600 }, "after_effect": false }),
    ];
    all_are_listed_until_cleared(RESOURCE_MANAGER, faults.as_slice()).await;
}

#[tokio::test]
async fn every_behaviour_of_container_groups_can_be_asked_for_is_listed_and_ends() {
    let rules = [
        json!({ "behaviour": "stays_pending", "groups": {} }),
        json!({ "behaviour": { "starts_after_ms": 50 }, "groups": { "name": "worker-1" } }),
        json!({ "behaviour": "image_pull_fails", "groups": { "message_id": "m1" }, "left": 3 }),
        json!({ "behaviour": "capacity_fails", "groups": { "subscription": "1-50MB" } }),
        json!({ "behaviour": { "exits": { "code": 3 } }, "groups": {} }),
        json!({ "behaviour": { "exits": "out_of_memory" }, "groups": {}, "probability": 0.1, "seed": 4 }),
        json!({ "behaviour": { "exits_after": { "ms": 40, "exit": { "code": 1 } } }, "groups": {} }),
        json!({ "behaviour": { "needs_memory_gb": 2.5 }, "groups": {} }),
        json!({ "behaviour": "hangs", "groups": {} }),
        json!({ "behaviour": { "pulls_for_ms": 60000 }, "groups": {} }),
        json!({ "behaviour": { "start_fails": "create_container_config_error" }, "groups": {} }),
        json!({ "behaviour": { "shows": "Repairing" }, "groups": {} }),
        json!({ "behaviour": { "vanishes_after_ms": 500 }, "groups": {} }),
    ];
    all_are_listed_until_cleared(RULES, rules.as_slice()).await;
}

#[tokio::test]
async fn every_policy_on_tags_can_be_asked_for_is_listed_and_ends() {
    let policies = [
        json!({ "change": { "set": { "tag": "managed_by", "value": "finance" } }, "groups": {}, "after_ms": 0 }),
        json!({ "change": { "drop": "managed_by" }, "groups": { "message_id": "m1" }, "after_ms": 500, "left": 2 }),
        json!({ "change": "drop_all", "groups": {}, "after_ms": 0, "probability": 0.5, "seed": 3 }),
        json!({ "change": { "rename": { "tag": "a", "to": "A" } }, "groups": { "name": "w" }, "after_ms": 0 }),
    ];
    all_are_listed_until_cleared(TAG_POLICIES, policies.as_slice()).await;
}

/// Faults are listed as they were requested, except that `times` is the number that is left.
async fn all_are_listed_until_cleared(path: &str, faults: &[Value]) {
    let controlled = controlled().await;
    for fault in faults {
        let mut asked = fault.clone();
        if let Some(left) = asked.as_object_mut().unwrap().remove("left") {
            asked["times"] = left;
        }
        assert_eq!(controlled.post(path, &asked).await, (201, fault.clone()));
    }
    assert_eq!(controlled.get(path).await, json!(faults));
    assert_eq!(controlled.get("/control/state").await["faults"], faults.len());
    assert_eq!(controlled.send(Method::DELETE, path, None).await.0, 204);
    assert_eq!(controlled.get(path).await, json!([]));
}

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_with_what_is_accepted() {
    let controlled = controlled().await;
    let cases = [
        (
            SERVICE_BUS,
            json!({ "operation": "pique", "effect": "hang" }),
            "`connect`, `put_token`, `attach`, `send`, `peek`",
        ),
        (SERVICE_BUS, json!({ "operation": "peek", "effect": "hangs" }), "`delay_ms`, `hang`, `refuse`"),
        (SERVICE_BUS, json!({ "operation": "peek", "effect": "hang", "tmes": 1 }), "`times`, `probability`, `seed`"),
        (SERVICE_BUS, json!({ "operation": "send", "effect": { "page_limit": 1 } }), "no effect on \"send\""),
        (
            SERVICE_BUS,
            json!({ "operation": "send", "effect": "hang", "subscription": { "topic": "t", "name": "s" } }),
            "only attach and peek are about a subscription",
        ),
        (RESOURCE_MANAGER, json!({ "operation": "put", "effect": "hang" }), "`list_groups`, `get_group`, `put_group`"),
        (RESOURCE_MANAGER, json!({ "operation": "put_group", "effect": { "answer": "no" } }), "`throttled`"),
        (
            RESOURCE_MANAGER,
            json!({ "operation": "put_group", "effect": { "answer": { "empty": { "status": 99 } } } }),
            "200 to 599",
        ),
        (RESOURCE_MANAGER, json!({ "operation": "get_group", "effect": { "pretend": 200 } }), "only [\"put_group\""),
        (
            RESOURCE_MANAGER,
            json!({ "operation": "any", "effect": { "next_link": "x" } }),
            "`to_itself`, `to_first_page`",
        ),
        (TAG_POLICIES, json!({ "change": "lose" }), "`set`, `drop`, `drop_all`, `rename`"),
        (RULES, json!({ "behaviour": "sleeps" }), "`stays_pending`, `starts_after_ms`, `pulls_for_ms`"),
        (RULES, json!({ "behaviour": "hangs", "groups": { "tag": "x" } }), "`name`, `subscription`, `message_id`"),
        (RULES, json!({ "behaviour": "hangs", "probability": 1.5 }), "between 0 and 1"),
        (RULES, json!({ "behaviour": "hangs", "seed": 1 }), "only with a probability"),
        (RULES, json!([]), "the body is not what is accepted"),
    ];
    for (path, body, accepted) in cases {
        let (status, refusal) = controlled.post(path, &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(refusal["error"].as_str().unwrap().contains(accepted), "{refusal} lacks {accepted}");
    }
    for path in [SERVICE_BUS, RESOURCE_MANAGER, RULES, TAG_POLICIES] {
        assert_eq!(controlled.get(path).await, json!([]));
    }
}

#[tokio::test]
async fn a_throttled_operation_says_when_to_come_again_and_the_fault_is_used_up() {
    let controlled = controlled().await;
    let answer = json!({ "throttled": { "retry_after_seconds": 7 } });
    controlled
        .post(RESOURCE_MANAGER, &json!({ "operation": "list_groups", "effect": { "answer": answer }, "times": 1 }))
        .await;
    let throttled = controlled.arm(Method::GET, GROUPS, None).await.unwrap();
    assert_eq!((throttled.status().as_u16(), throttled.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(controlled.arm(Method::GET, GROUPS, None).await.unwrap().status(), 200);
    assert_eq!(controlled.get(RESOURCE_MANAGER).await[0]["left"], 0);
}

#[tokio::test]
async fn small_pages_show_all_groups_by_their_links() {
    let controlled = controlled().await;
    for name in ["worker-1", "worker-2", "worker-3"] {
        controlled.group(name, &json!([]), is_over).await;
    }
    controlled.post(RESOURCE_MANAGER, &json!({ "operation": "list_groups", "effect": { "page_limit": 2 } })).await;
    let page: Value = controlled.arm(Method::GET, GROUPS, None).await.unwrap().json().await.unwrap();
    assert_eq!(page["value"].as_array().unwrap().len(), 2);
    assert!(page["nextLink"].is_string(), "{page}");
}

#[tokio::test]
async fn a_reply_is_lost_after_the_group_was_made() {
    let controlled = controlled().await;
    controlled
        .post(RESOURCE_MANAGER, &json!({ "operation": "delete_group", "effect": "reset", "after_effect": true }))
        .await;
    controlled.group("worker-1", &json!([]), is_over).await;
    assert!(controlled.arm(Method::DELETE, &format!("{GROUPS}/worker-1"), None).await.is_err());
    assert!(controlled.azure.resource_manager.container_groups().groups().is_empty());
}

#[tokio::test]
async fn a_rule_is_for_the_groups_that_it_selects() {
    let controlled = controlled().await;
    let exit = json!({ "exits_after": { "ms": 1, "exit": "out_of_memory" } });
    controlled.post(RULES, &json!({ "behaviour": exit, "groups": { "message_id": "of-worker-2" } })).await;
    controlled.post(RULES, &json!({ "behaviour": "capacity_fails", "groups": { "subscription": "51-200MB" } })).await;
    let exit_of = |group: GroupSnapshot| match group.phase {
        Phase::Terminated { exit, .. } => exit,
        phase => panic!("{phase:?}"),
    };
    assert_eq!(exit_of(controlled.group("worker-1", &json!([]), is_over).await), Exit::Code(0));
    assert_eq!(exit_of(controlled.group("worker-2", &json!([]), is_over).await), Exit::OutOfMemory);
}

#[tokio::test]
async fn a_group_that_starts_late_is_pending_until_then_and_lives_as_usual() {
    let controlled = controlled().await;
    for (name, delay_ms) in [("worker-late", 3_600_000), ("worker-soon", 30)] {
        let rule = json!({ "behaviour": { "starts_after_ms": delay_ms }, "groups": { "name": name } });
        controlled.post(RULES, &rule).await;
    }
    controlled.group("worker-late", &json!([]), |group| group.phase == Phase::Pending).await;
    let soon = controlled.group("worker-soon", &json!([]), is_over).await;
    let Phase::Terminated { started, .. } = soon.phase else { panic!("{soon:?}") };
    assert!(started - soon.created >= Duration::from_millis(30));
    let late = controlled.azure.resource_manager.container_groups().group("worker-late").unwrap();
    assert_eq!(late.phase, Phase::Pending);
}

#[tokio::test]
async fn a_seed_that_was_not_given_is_told_so_that_the_run_can_be_repeated() {
    let controlled = controlled().await;
    let fault = json!({ "operation": "list_groups", "effect": { "answer": "garbage" }, "probability": 0.5 });
    let (_, created) = controlled.post(RESOURCE_MANAGER, &fault).await;
    let first = failures(&controlled).await;
    controlled.send(Method::DELETE, RESOURCE_MANAGER, None).await;
    let mut again = fault.clone();
    again["seed"] = created["seed"].clone();
    controlled.post(RESOURCE_MANAGER, &again).await;
    assert_eq!(failures(&controlled).await, first);
}

/// Which of 24 lists of groups are garbage.
async fn failures(controlled: &Controlled) -> Vec<bool> {
    let mut failures = Vec::new();
    for _ in 0..24 {
        let answer = controlled.arm(Method::GET, GROUPS, None).await.unwrap().text().await.unwrap();
        failures.push(answer.starts_with("<html>"));
    }
    failures
}

#[tokio::test]
async fn a_client_of_service_bus_meets_its_fault() {
    let controlled = controlled().await;
    let connection_string = controlled.azure.service_bus.connection_string();
    controlled.post(SERVICE_BUS, &json!({ "operation": "connect", "effect": "drop_connection", "times": 1 })).await;
    assert!(Client::connect(&connection_string).await.is_err());
    Client::connect(&connection_string).await.unwrap().close().await;
}
