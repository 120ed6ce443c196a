//! Assumptions about Container Instances.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::assumption::Certainty::{Documented, Inferred, Open, Recorded};
use crate::assumption::{Assumption, Certainty, Question};
use crate::ground::{Ground, Reply};

const REMAINING: &str = "x-ms-ratelimit-remaining-subscription-resource-requests-";
const CONTAINER_STATE: [&str; 2] = ["tests/local-azure/src/container_groups/group.rs", "src/container_group/phase.rs"];

/// The assumptions, in the order in which they are tested.
#[expect(clippy::too_many_lines, reason = "it is a list")]
pub fn all() -> Vec<Assumption> {
    let one = |name, statement, (certainty, source): (Certainty, _), rests_on, expected, question: Question| {
        Assumption { name, statement, source, certainty, rests_on, expected, question }
    };
    vec![
        one(
            "put-of-a-new-group",
            "The PUT of a new group answers 201, with the group as it waits, and begins an operation.",
            (Recorded, "azure-cli, test_container_create.yaml"),
            &["tests/local-azure/src/resource_manager/group_requests.rs", "src/azure/container_instances/mod.rs"],
            "201 Pending, operation: true",
            |ground| Box::pin(put_of_a_new_group(ground)),
        ),
        one(
            "headers-of-what-remains",
            "PUTs and DELETEs of groups say in headers how many more there may be; GETs do not.",
            (Recorded, "azure-cli, container recordings of 2023 to 2025"),
            &["tests/local-azure/src/resource_manager/rate_limit.rs", "src/azure/arm_refusal.rs"],
            "PUT: pt1h pt5m, GET: none, DELETE: pt1h pt5m",
            |ground| Box::pin(headers_of_what_remains(ground)),
        ),
        one(
            "put-while-a-group-is-made",
            "A PUT that changes a group is refused while it is being made.",
            (Documented, "container-instances-troubleshooting.md"),
            &["tests/local-azure/src/container_groups/operation.rs", "src/azure/arm_refusal.rs"],
            "409 ContainerGroupTransitioning",
            |ground| Box::pin(put_while_a_group_is_made(ground)),
        ),
        one(
            "instance-views-in-lists",
            "A list shows no instance view, of groups or of containers.",
            (Recorded, "azure-cli, test_container_create.yaml; azure-rest-api-specs#21280"),
            &["tests/local-azure/src/container_groups/hidden.rs", "src/pass/observe"],
            "none",
            |ground| Box::pin(instance_views_in_lists(ground)),
        ),
        one(
            "secure-values",
            "A secure value is never shown again, its name is.",
            (Recorded, "azure-cli, test_container_create.yaml"),
            &["tests/local-azure/src/container_groups/hidden.rs"],
            "named, without a value",
            |ground| Box::pin(secure_values(ground)),
        ),
        one(
            "case-of-tags",
            "The names of tags come back as they were written.",
            (Open, "none; azure-cli#5713 shows what policies do"),
            &["tests/local-azure/src/container_groups/tag_policy.rs", "src/container_group/ownership.rs"],
            "Managed_By",
            |ground| Box::pin(case_of_tags(ground)),
        ),
        one(
            "patch-of-tags",
            "A PATCH replaces all tags.",
            (Recorded, "azure-cli, container recordings"),
            &["tests/local-azure/src/container_groups/operation.rs", "src/plan/groups"],
            "only the new one",
            |ground| Box::pin(patch_of_tags(ground)),
        ),
        one(
            "case-of-names",
            "A group is found by its name in any case.",
            (Documented, "Azure's naming rules"),
            &["tests/local-azure/src/container_groups/state.rs", "src/container_group/name.rs"],
            "200",
            |ground| Box::pin(case_of_names(ground)),
        ),
        one(
            "group-that-is-not-there",
            "A GET of no group answers 404 ResourceNotFound, a DELETE 204.",
            (Recorded, "azure-cli, container recordings; the contract for 204"),
            &["tests/local-azure/src/resource_manager/group_requests.rs", "src/azure/container_instances/mod.rs"],
            "GET: 404 ResourceNotFound, DELETE: 204",
            |ground| Box::pin(group_that_is_not_there(ground)),
        ),
        one(
            "end-with-0",
            "A container that exits with 0 is Terminated and Completed, its group Succeeded.",
            (Recorded, "azure-cli, container recordings"),
            &CONTAINER_STATE,
            "Succeeded, Terminated, Completed, exit code 0, provisioning Succeeded",
            |ground| Box::pin(end_with(ground, 0)),
        ),
        one(
            "end-with-3",
            "A container that fails is Terminated with an Error, its group Failed, while provisioning has Succeeded.",
            (Recorded, "azure-cli, container recordings"),
            &CONTAINER_STATE,
            "Failed, Terminated, Error, exit code 3, provisioning Succeeded",
            |ground| Box::pin(end_with(ground, 3)),
        ),
        one(
            "stopped-group",
            "A container that was stopped is Terminated without an exit code, its group Stopped.",
            (Recorded, "recordings of 2024-10"),
            &CONTAINER_STATE,
            "Stopped, Terminated, Container stopped per client request, no exit code",
            |ground| Box::pin(stopped_group(ground)),
        ),
        one(
            "logs-of-an-ended-group",
            "The log of a container stays until its group is deleted.",
            (Documented, "container-instances-get-logs.md"),
            &["tests/local-azure/src/container_groups/log.rs", "src/pass/apply"],
            "200 hello",
            |ground| Box::pin(logs_of_an_ended_group(ground)),
        ),
        one(
            "identical-put-on-an-ended-group",
            "An identical PUT on a group that has ended runs it again.",
            (Inferred, "container-instances-update.md: a terminated group is deployed as new"),
            &["tests/local-azure/src/container_groups/operation.rs", "src/plan/messages/retry.rs"],
            "200, runs again",
            |ground| Box::pin(identical_put_on_an_ended_group(ground)),
        ),
        one(
            "delete-of-a-group",
            "A DELETE answers 200 with the group as it was, and the group is gone at once.",
            (Recorded, "five azure-cli recordings; that it is gone at once is inferred"),
            &["tests/local-azure/src/resource_manager/group_requests.rs"],
            "200 with the group, then 404",
            |ground| Box::pin(delete_of_a_group(ground)),
        ),
        one(
            "put-right-after-a-delete",
            "A name can be used again right after its group was deleted.",
            (Open, "reports of 409 and of passing 404s"),
            &["tests/local-azure/src/container_groups/operation.rs", "src/plan/messages/retry.rs"],
            "201",
            |ground| Box::pin(put_right_after_a_delete(ground)),
        ),
        one(
            "put-while-a-group-is-deleted",
            "A PUT during the DELETE of the group of the same name is refused, or what it creates stays.",
            (Open, "reports of 409; that a DELETE takes 3 to 4 s"),
            &["tests/local-azure/src/container_groups/operation.rs", "src/plan/messages/retry.rs"],
            "is refused, or stays",
            |ground| Box::pin(put_while_a_group_is_deleted(ground)),
        ),
        one(
            "two-cores-with-half-a-gigabyte",
            "2 cores with 0.5 GB are accepted, below the documented minimum of 1 GB a group.",
            (Open, "acceptance tests of others use 0.5 and 0.5; documentation says 1 and 1"),
            &["tests/local-azure/src/container_groups/spec.rs", "src/container_group/memory.rs"],
            "201",
            |ground| Box::pin(two_cores_with_half_a_gigabyte(ground)),
        ),
        one(
            "latency-of-requests",
            "No request about a group takes longer than 15 s.",
            (Recorded, "PUTs took 4 s, DELETEs and PATCHes 3 to 4 s, GETs under 1 s"),
            &["tests/local-azure/src/resource_manager/effect.rs", "src/http.rs"],
            "each within 15 s",
            |ground| Box::pin(latency_of_requests(ground)),
        ),
    ]
}

async fn put_of_a_new_group(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("put");
    let reply = ground.create(&name, &ground.body(0, 0)).await?;
    ground.delete(&name).await?;
    let state = reply.body["properties"]["provisioningState"].as_str().unwrap_or("no state");
    let operation = reply.headers.contains_key("azure-asyncoperation");
    Ok(format!("{} {state}, operation: {operation}", reply.status))
}

fn remaining(reply: &Reply) -> String {
    let there: Vec<_> =
        ["pt1h", "pt5m"].into_iter().filter(|it| reply.headers.contains_key(format!("{REMAINING}{it}"))).collect();
    if there.is_empty() { "none".to_owned() } else { there.join(" ") }
}

async fn headers_of_what_remains(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("headers");
    let put = ground.create(&name, &ground.body(0, 0)).await?;
    let get = ground.group(Method::GET, &name, None).await?;
    let delete = ground.delete(&name).await?;
    Ok(format!("PUT: {}, GET: {}, DELETE: {}", remaining(&put), remaining(&get), remaining(&delete)))
}

async fn put_while_a_group_is_made(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("making");
    ground.create(&name, &ground.body(0, 0)).await?;
    let reply = ground.group(Method::PUT, &name, Some(&ground.body(1, 0))).await?;
    ground.delete(&name).await?;
    Ok(reply.code())
}

async fn instance_views_in_lists(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("list");
    ground.create(&name, &ground.body(0, 0)).await?;
    ended(ground, &name).await?;
    let list = ground.group(Method::GET, "", None).await?;
    ground.delete(&name).await?;
    let items = list.body["value"].as_array().ok_or("the list has no values")?;
    let item = items.iter().find(|item| item["name"] == name.as_str()).ok_or("the group is not in the list")?;
    let properties = &item["properties"];
    let views = [&properties["instanceView"], &properties["containers"][0]["properties"]["instanceView"]];
    Ok(if views.iter().all(|view| view.is_null()) { "none".to_owned() } else { "some".to_owned() })
}

async fn secure_values(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("secret");
    let put = ground.create(&name, &ground.body(0, 0)).await?;
    let get = ground.group(Method::GET, &name, None).await?;
    ground.delete(&name).await?;
    let shows = |body: &Value| body.to_string().contains("canary");
    let variables = &get.body["properties"]["containers"][0]["properties"]["environmentVariables"];
    let named = variables.as_array().is_some_and(|all| all.contains(&json!({ "name": "SECRET" })));
    Ok(match (shows(&put.body) || shows(&get.body), named) {
        (false, true) => "named, without a value".to_owned(),
        found => format!("shown: {}, named: {}", found.0, found.1),
    })
}

async fn case_of_tags(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("tags");
    ground.create(&name, &ground.body(0, 0)).await?;
    let get = ground.group(Method::GET, &name, None).await?;
    ground.delete(&name).await?;
    Ok(get.body["tags"].as_object().and_then(|tags| tags.keys().next().cloned()).unwrap_or_default())
}

async fn patch_of_tags(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("patch");
    ground.create(&name, &ground.body(0, 0)).await?;
    ended(ground, &name).await?;
    let reply = ground.group(Method::PATCH, &name, Some(&json!({ "tags": { "other": "1" } }))).await?;
    ground.delete(&name).await?;
    let is_replaced = reply.body["tags"] == json!({ "other": "1" });
    Ok(if is_replaced { "only the new one".to_owned() } else { format!("{} {}", reply.code(), reply.body["tags"]) })
}

async fn case_of_names(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("case");
    ground.create(&name, &ground.body(0, 0)).await?;
    let reply = ground.group(Method::GET, &name.to_uppercase(), None).await?;
    ground.delete(&name).await?;
    Ok(reply.code())
}

async fn group_that_is_not_there(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("absent");
    let get = ground.group(Method::GET, &name, None).await?;
    let delete = ground.group(Method::DELETE, &name, None).await?;
    Ok(format!("GET: {}, DELETE: {}", get.code(), delete.code()))
}

async fn end_with(ground: &Ground, exit: i32) -> Result<String, String> {
    let name = Ground::name("end");
    ground.create(&name, &ground.body(0, exit)).await?;
    let group = ended(ground, &name).await?;
    ground.delete(&name).await?;
    let (view, state) = (&group["properties"]["instanceView"], state(&group));
    Ok(format!(
        "{}, {}, {}, exit code {}, provisioning {}",
        text(&view["state"]),
        text(&state["state"]),
        text(&state["detailStatus"]),
        state["exitCode"],
        text(&group["properties"]["provisioningState"]),
    ))
}

async fn stopped_group(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("stopped");
    ground.create(&name, &ground.body(3600, 0)).await?;
    ground.until(&name, |group| state(group)["state"] == "Running").await?;
    let stop = ground.group(Method::POST, &format!("{name}/stop"), None).await?;
    if stop.status >= 300 {
        ground.delete(&name).await?;
        return Ok(format!("the stop was answered with {}", stop.code()));
    }
    let group = ended(ground, &name).await?;
    ground.delete(&name).await?;
    let state = state(&group);
    let exit = if state["exitCode"].is_null() { "no exit code".to_owned() } else { state["exitCode"].to_string() };
    let of_group = text(&group["properties"]["instanceView"]["state"]);
    Ok(format!("{of_group}, {}, {}, {exit}", text(&state["state"]), text(&state["detailStatus"])))
}

async fn logs_of_an_ended_group(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("logs");
    ground.create(&name, &ground.body(0, 3)).await?;
    ended(ground, &name).await?;
    let logs = ground.group(Method::GET, &format!("{name}/containers/worker/logs"), None).await?;
    ground.delete(&name).await?;
    Ok(format!("{} {}", logs.code(), text(&logs.body["content"]).trim()))
}

async fn identical_put_on_an_ended_group(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("again");
    let body = ground.body(0, 0);
    ground.create(&name, &body).await?;
    let first = state(&ended(ground, &name).await?)["finishTime"].clone();
    let reply = ground.group(Method::PUT, &name, Some(&body)).await?;
    let again = ground.until(&name, |group| {
        let state = state(group);
        state["state"] == "Terminated" && state["finishTime"] != first
    });
    let runs = match tokio::time::timeout(Duration::from_mins(3), again).await {
        Ok(Ok(_)) => "runs again",
        _ => "does not run again",
    };
    ground.delete(&name).await?;
    Ok(format!("{}, {runs}", reply.code()))
}

async fn delete_of_a_group(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("delete");
    ground.create(&name, &ground.body(0, 0)).await?;
    ended(ground, &name).await?;
    let reply = ground.delete(&name).await?;
    let body = if reply.body["name"] == name.as_str() { "with the group" } else { "without the group" };
    let after = ground.group(Method::GET, &name, None).await?;
    Ok(format!("{} {body}, then {}", reply.status, after.status))
}

async fn put_right_after_a_delete(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("reused");
    let body = ground.body(0, 0);
    ground.create(&name, &body).await?;
    ended(ground, &name).await?;
    ground.delete(&name).await?;
    let reply = ground.group(Method::PUT, &name, Some(&body)).await?;
    ground.delete(&name).await?;
    Ok(reply.code())
}

async fn put_while_a_group_is_deleted(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("replaced");
    ground.create(&name, &ground.body(0, 0)).await?;
    ended(ground, &name).await?;
    // Azure takes seconds for a DELETE: it has begun when the PUT arrives, and has not ended.
    let put = async {
        sleep(ground.interval / 4).await;
        ground.group(Method::PUT, &name, Some(&ground.body(3600, 0))).await
    };
    let (deleted, put) = tokio::join!(ground.group(Method::DELETE, &name, None), put);
    let (deleted, put) = (deleted?, put?);
    if put.status >= 300 {
        ground.delete(&name).await?;
        return Ok(if put.status == 409 { "is refused, or stays".to_owned() } else { put.code() });
    }
    // A DELETE that reached the new group would show within this time.
    sleep(ground.interval * 10).await;
    let after = ground.group(Method::GET, &name, None).await?;
    ground.delete(&name).await?;
    let is_there = after.status == 200 && after.body["properties"]["provisioningState"] != "Deleting";
    Ok(if is_there {
        "is refused, or stays".to_owned()
    } else {
        format!("DELETE: {}, PUT: {}, then {}", deleted.code(), put.code(), after.code())
    })
}

async fn two_cores_with_half_a_gigabyte(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("small");
    let mut body = ground.body(0, 0);
    let requests = json!({ "memoryInGB": 0.5, "cpu": 2 });
    body["properties"]["containers"][0]["properties"]["resources"]["requests"] = requests;
    let reply = ground.group(Method::PUT, &name, Some(&body)).await?;
    ground.delete(&name).await?;
    Ok(reply.code())
}

async fn latency_of_requests(ground: &Ground) -> Result<String, String> {
    let name = Ground::name("latency");
    let put = ground.create(&name, &ground.body(0, 0)).await?;
    let get = ground.group(Method::GET, &name, None).await?;
    let list = ground.group(Method::GET, "", None).await?;
    let delete = ground.delete(&name).await?;
    let slow: Vec<_> = [("PUT", put.took), ("GET", get.took), ("list", list.took), ("DELETE", delete.took)]
        .into_iter()
        .filter(|(_, took)| *took > Duration::from_secs(15))
        .map(|(what, took)| format!("{what} {} s", took.as_secs()))
        .collect();
    Ok(if slow.is_empty() { "each within 15 s".to_owned() } else { slow.join(", ") })
}

async fn ended(ground: &Ground, name: &str) -> Result<Value, String> {
    ground.until(name, |group| state(group)["state"] == "Terminated").await
}

fn state(group: &Value) -> &Value {
    &group["properties"]["containers"][0]["properties"]["instanceView"]["currentState"]
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("nothing")
}
