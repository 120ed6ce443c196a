//! Lists of container groups, and usages.

use std::collections::HashSet;

use local_azure::resource_manager::{Fault, NextLink, OperationKind, ResourceManagerConfig};
use serde_json::{Value, json};

use crate::support::{API, Azure, GROUPS, group, recorded, usages_path};

fn names(page: &Value) -> Vec<&str> {
    page["value"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_shows_no_instance_view_and_a_get_does() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    azure.until_terminated("w-1").await;
    azure.manager.container_groups().plant(recorded("get-200-failed-oom")["body"].clone());
    let list = azure.get(&format!("{GROUPS}?{API}")).await;
    assert_eq!(names(&list.body), ["w-0001", "w-1"]);
    assert!(!list.body.to_string().contains("instanceView"), "{}", list.body);
    assert_eq!(list.body["value"][1]["properties"]["provisioningState"], "Succeeded");
    let get = azure.show("w-1").await.body;
    assert_eq!(get["properties"]["instanceView"]["state"], "Succeeded");
    let state = &get["properties"]["containers"][0]["properties"]["instanceView"]["currentState"];
    assert_eq!((&state["state"], &state["exitCode"]), (&json!("Terminated"), &json!(0)));
}

#[tokio::test]
async fn pages_follow_on_each_other_even_when_groups_go_in_between() {
    let azure = Azure::with(ResourceManagerConfig { page_size: 2, ..Default::default() }).await;
    for n in 1..=5 {
        azure.put(&format!("w-{n}"), &group()).await;
        azure.until_terminated(&format!("w-{n}")).await;
    }
    let first = azure.get(&format!("{GROUPS}?{API}")).await.body;
    assert_eq!(names(&first), ["w-1", "w-2"]);
    let link = first["nextLink"].as_str().unwrap();
    assert!(link.starts_with(&format!("{}{GROUPS}?{API}&%24skiptoken=", azure.manager.endpoint())), "{link}");
    azure.delete("w-1").await;
    azure.delete("w-3").await;
    let second = azure.get(link).await.body;
    assert_eq!(names(&second), ["w-4", "w-5"]);
    assert_eq!(second.get("nextLink"), None);
}

#[tokio::test]
async fn an_empty_list_is_no_error() {
    let azure = Azure::start().await;
    assert_eq!(azure.get(&format!("{GROUPS}?{API}")).await.body, json!({ "value": [] }));
    assert_eq!(azure.get(&format!("{GROUPS}?{API}&$skiptoken=%21")).await.status, 400);
}

#[tokio::test]
async fn segments_of_the_path_have_no_case() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    for path in [GROUPS.to_lowercase(), GROUPS.to_uppercase(), GROUPS.replace("resourceGroups", "resourcegroups")] {
        assert_eq!(names(&azure.get(&format!("{path}?{API}")).await.body), ["w-1"], "{path}");
    }
}

#[tokio::test]
async fn a_foreign_group_with_log_analytics_is_listed_without_its_key() {
    let azure = Azure::start().await;
    let foreign = recorded("list-200-foreign-loganalytics")["body"]["value"][1].clone();
    let mut planted = foreign.clone();
    planted["properties"]["diagnostics"]["logAnalytics"]["workspaceKey"] = json!("canary");
    azure.manager.container_groups().plant(planted);
    assert_eq!(azure.get(&format!("{GROUPS}?{API}")).await.body, json!({ "value": [foreign] }));
}

#[tokio::test]
async fn usages_count_groups_and_the_cores_of_those_that_are_not_over() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    azure.until_terminated("w-1").await;
    azure.put("w-2", &group()).await;
    azure.until_terminated("w-2").await;
    let usages = azure.get(&usages_path()).await.body;
    let numbers = |n: usize| (usages["value"][n]["currentValue"].clone(), usages["value"][n]["limit"].clone());
    assert_eq!(numbers(0), (json!(2), json!(2000)));
    assert_eq!(numbers(1), (json!(0), json!(4000)));
}

#[tokio::test]
async fn a_list_can_have_every_group_twice() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    azure.put("w-2", &group()).await;
    azure.manager.inject(Fault::once(OperationKind::ListGroups).repeats_items());
    let list = format!("{GROUPS}?{API}");
    assert_eq!(names(&azure.get(&list).await.body), ["w-1", "w-2", "w-1", "w-2"]);
    assert_eq!(names(&azure.get(&list).await.body), ["w-1", "w-2"]);
}

#[tokio::test]
async fn a_list_can_lead_on_without_end() {
    let azure = Azure::with(ResourceManagerConfig { page_size: 1, ..Default::default() }).await;
    azure.put("w-1", &group()).await;
    azure.put("w-2", &group()).await;
    let first = format!("{}{GROUPS}?{API}", azure.manager.endpoint());
    let follow = async |pages: usize| {
        let (mut link, mut seen) = (first.clone(), Vec::new());
        for _ in 0..pages {
            let page = azure.get(&link).await.body;
            let next = page["nextLink"].as_str().expect("there is always a next page").to_owned();
            seen.push((names(&page)[0].to_owned(), next.clone()));
            link = next;
        }
        seen
    };
    azure.manager.inject(Fault::always(OperationKind::ListGroups).leads_on(NextLink::ToItself));
    assert_eq!(follow(2).await, [("w-1".to_owned(), first.clone()), ("w-1".to_owned(), first.clone())]);

    azure.manager.clear_faults();
    azure.manager.inject(Fault::always(OperationKind::ListGroups).leads_on(NextLink::ToFirstPage));
    let round = follow(4).await;
    assert_eq!(round[..2], round[2..]);
    assert_eq!(round[1], ("w-2".to_owned(), first.clone()));

    azure.manager.clear_faults();
    azure.manager.inject(Fault::always(OperationKind::ListGroups).leads_on(NextLink::Endless));
    let endless = follow(8).await;
    let listed: Vec<_> = endless.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listed, ["w-1", "w-2"].repeat(4));
    let new_links: HashSet<_> =
        endless.iter().map(|(_, link)| link).filter(|link| !link.ends_with(&token("w-1"))).collect();
    assert_eq!(new_links.len(), 4, "{endless:#?}");
}

fn token(name: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(name)
}

#[tokio::test]
async fn a_resource_group_can_be_full_of_what_is_somebody_else_s() {
    let azure = Azure::start().await;
    azure.manager.container_groups().plant_foreign("rg-workers", 1_234, 1_000);
    azure.put("w-1", &group()).await;
    let (mut link, mut listed) = (format!("{GROUPS}?{API}"), 0);
    loop {
        let page = azure.get(&link).await.body;
        listed += names(&page).len();
        let Some(next) = page["nextLink"].as_str() else { break };
        assert!(page.to_string().len() > 50 * 1_000);
        link = next.to_owned();
    }
    assert_eq!(listed, 1_235);
}
