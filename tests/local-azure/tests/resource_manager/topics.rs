//! Subscriptions of topics.

use std::sync::Arc;

use local_azure::resource_manager::{Fault, NextLink, OperationKind, ResourceManagerConfig, TopicSubscription};
use serde_json::Value;

use crate::support::Azure;

const TOPIC: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-workers/providers/\
                     Microsoft.ServiceBus/namespaces/sb-jobs/topics/jobs/subscriptions?api-version=2021-11-01";

async fn azure() -> Azure {
    let topics = |namespace: &str, topic: &str| {
        let subscriptions = ["team-a", "team-b", "team-c"].map(|name| TopicSubscription::active(name, 7));
        (namespace == "sb-jobs" && ["jobs", "teams/jobs"].contains(&topic)).then(|| subscriptions.to_vec())
    };
    Azure::with(ResourceManagerConfig { topics: Arc::new(topics), topic_page_size: 2, ..Default::default() }).await
}

fn names(page: &Value) -> Vec<&str> {
    page["value"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn subscriptions_come_in_pages() {
    let azure = azure().await;
    let first = azure.get(TOPIC).await.body;
    assert_eq!(names(&first), ["team-a", "team-b"]);
    assert_eq!(first["value"][0]["properties"]["countDetails"]["activeMessageCount"], 7);
    let link = first["nextLink"].as_str().unwrap();
    assert!(link.ends_with("?api-version=2021-11-01&$skip=2&$top=2"), "{link}");
    let second = azure.get(link).await.body;
    assert_eq!(names(&second), ["team-c"]);
    assert_eq!(second.get("nextLink"), None);
}

#[tokio::test]
async fn the_client_may_say_how_many_it_wants() {
    let azure = azure().await;
    assert_eq!(names(&azure.get(&format!("{TOPIC}&$top=3")).await.body).len(), 3);
    for odd in ["$top=0", "$top=1001", "$top=many", "$skip=1001", "$skip=-1"] {
        assert_eq!(azure.get(&format!("{TOPIC}&{odd}")).await.code(), (400, "BadRequest"), "{odd}");
    }
}

#[tokio::test]
async fn a_topic_that_is_not_there_has_no_subscriptions() {
    let azure = azure().await;
    let reply = azure.get(&TOPIC.replace("topics/jobs", "topics/other")).await;
    assert_eq!(reply.code(), (404, "ParentResourceNotFound"));
}

#[tokio::test]
async fn a_slash_in_a_topic_s_name_is_a_tilde() {
    let azure = azure().await;
    let page = azure.get(&TOPIC.replace("topics/jobs", "topics/teams~jobs")).await.body;
    assert_eq!(names(&page), ["team-a", "team-b"]);
    let id = page["value"][0]["id"].as_str().unwrap();
    assert!(id.ends_with("/topics/teams~jobs/subscriptions/team-a"), "{id}");
    assert_eq!(names(&azure.get(page["nextLink"].as_str().unwrap()).await.body), ["team-c"]);
    assert_eq!(azure.get(&TOPIC.replace("topics/jobs", "topics/teams%2Fjobs")).await.status, 404);
}

#[tokio::test]
async fn service_bus_has_its_own_api_versions() {
    let azure = azure().await;
    let reply = azure.get(&TOPIC.replace("2021-11-01", "2023-05-01")).await;
    assert_eq!(reply.code(), (400, "NoRegisteredProviderFound"));
}

#[tokio::test]
async fn a_topic_says_that_it_is_not_partitioned_and_one_that_is_not_there_is_not_found() {
    let azure = azure().await;
    let topic = azure.get(&TOPIC.replace("/subscriptions?", "?")).await;
    assert_eq!((topic.status, &topic.body["name"]), (200, &Value::from("jobs")));
    assert_eq!(topic.body["properties"]["enablePartitioning"], false);
    assert_eq!(topic.body["properties"]["subscriptionCount"], 3);
    let missing = azure.get(&TOPIC.replace("topics/jobs/subscriptions", "topics/other")).await;
    assert_eq!(missing.code(), (404, "NotFound"));
    assert_eq!(azure.manager.calls()[0].kind, OperationKind::GetTopic);
}

#[tokio::test]
async fn a_list_of_subscriptions_can_repeat_itself_and_never_end() {
    let azure = azure().await;
    azure.manager.inject(Fault::always(OperationKind::ListTopicSubscriptions).repeats_items());
    azure.manager.inject(Fault::always(OperationKind::ListTopicSubscriptions).leads_on(NextLink::Endless));
    let mut link = TOPIC.to_owned();
    for expected in ["team-a", "team-c", "team-a", "team-c", "team-a"] {
        let page = azure.get(&link).await.body;
        let listed = names(&page);
        assert_eq!((listed[0], listed.len() % 2), (expected, 0));
        assert_eq!(listed[..listed.len() / 2], listed[listed.len() / 2..]);
        link = page["nextLink"].as_str().unwrap().to_owned();
    }
}
