//! Governance of tags.

use std::time::Duration;

use local_azure::container_groups::{Exit, ExitsWhenTold, GroupSelector, TagChange, TagPolicy};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Azure, DEADLINE, group, group_path, group_with};

fn set(tag: &str, value: &str) -> TagChange {
    TagChange::Set { tag: tag.to_owned(), value: value.to_owned() }
}

fn of_message(id: &str) -> GroupSelector {
    GroupSelector { message_id: Some(id.to_owned()), ..GroupSelector::default() }
}

async fn azure() -> Azure {
    Azure::with_worker(ExitsWhenTold::new(Exit::Code(0))).await
}

async fn tags(azure: &Azure, name: &str) -> Value {
    azure.show(name).await.body["tags"].clone()
}

#[tokio::test]
async fn a_policy_rewrites_drops_or_renames_tags_as_groups_are_made() {
    for (change, expected) in [
        (set("Managed_By", "finance"), json!({ "managed_by": "finance", "message_id": "m1" })),
        (set("cost-center", "7"), json!({ "managed_by": "worker", "message_id": "m1", "cost-center": "7" })),
        (TagChange::Drop("managed_by".to_owned()), json!({ "message_id": "m1" })),
        (TagChange::DropAll, json!({})),
        (
            TagChange::Rename { tag: "managed_by".to_owned(), to: "Managed_By".to_owned() },
            json!({ "Managed_By": "worker", "message_id": "m1" }),
        ),
    ] {
        let azure = azure().await;
        azure.manager.container_groups().enforce(TagPolicy::new(change.clone()));
        let put = azure.put("w-1", &group()).await;
        assert_eq!((put.status, &put.body["tags"]), (201, &expected), "{change:?}");
        assert_eq!(tags(&azure, "w-1").await, expected);
        assert_eq!(azure.manager.container_groups().groups()[0].asked_tags["managed_by"], "worker");
    }
}

#[tokio::test]
async fn a_policy_is_for_the_groups_that_it_selects_as_often_as_it_says_until_it_is_cleared() {
    let azure = azure().await;
    let groups = azure.manager.container_groups();
    groups.enforce(TagPolicy::new(TagChange::DropAll).of(of_message("m2")));
    groups.enforce(TagPolicy::new(set("once", "yes")).at_most(1));
    azure.put("w-1", &group()).await;
    azure.put("w-2", &group_with("/tags/message_id", json!("m2"))).await;
    assert_eq!(tags(&azure, "w-1").await, json!({ "managed_by": "worker", "message_id": "m1", "once": "yes" }));
    assert_eq!(tags(&azure, "w-2").await, json!({}));
    groups.clear_tag_policies();
    azure.put("w-3", &group_with("/tags/message_id", json!("m2"))).await;
    assert_eq!(tags(&azure, "w-3").await, json!({ "managed_by": "worker", "message_id": "m2" }));
}

#[tokio::test]
async fn a_policy_changes_what_a_patch_asks_for() {
    let azure = azure().await;
    azure.put("w-1", &group()).await;
    azure.manager.container_groups().enforce(TagPolicy::new(set("managed_by", "finance")));
    let asked = json!({ "tags": { "managed_by": "worker", "keep": "true" } });
    let patched = azure.send(Method::PATCH, &group_path("w-1"), Some(&asked)).await.unwrap();
    let expected = json!({ "managed_by": "finance", "keep": "true" });
    assert_eq!((patched.status, &patched.body["tags"]), (200, &expected));
    assert_eq!(tags(&azure, "w-1").await, expected);
}

#[tokio::test]
async fn tags_can_change_later() {
    let azure = azure().await;
    let groups = azure.manager.container_groups();
    groups.enforce(TagPolicy::new(TagChange::Drop("message_id".to_owned())).after(Duration::from_millis(20)));
    let put = azure.put("w-1", &group()).await;
    assert_eq!(put.body["tags"], group()["tags"]);
    let dropped = |groups: &[local_azure::container_groups::GroupSnapshot]| groups[0].tags.len() == 1;
    groups.until(DEADLINE, dropped).await.unwrap();
    groups.clear_tag_policies();
    azure.put("w-2", &group_with("/tags/message_id", json!("m2"))).await;
    assert_eq!(groups.remediate(&set("managed_by", "finance"), &of_message("m1")), 1);
    assert_eq!(tags(&azure, "w-1").await, json!({ "managed_by": "finance" }));
    assert_eq!(groups.remediate(&TagChange::DropAll, &GroupSelector::default()), 2);
    assert_eq!(tags(&azure, "w-2").await, json!({}));
}
