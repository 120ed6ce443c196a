//! Other tests check every exchange against the published contract. These check that they would notice a violation.

use local_azure::resource_manager::Call;
use reqwest::Method;
use serde_json::json;

use crate::support::{Azure, group, group_path};
use test_support::contract;

#[tokio::test]
async fn a_broken_contract_is_noticed() {
    let azure = Azure::start().await;
    azure.put("w-1", &group()).await;
    let put = azure.manager.calls().remove(0);
    let body = |body: serde_json::Value| body.to_string().into_bytes();
    let broken = [
        (Call { status: Some(202), ..put.clone() }, "there is no answer 202"),
        (Call { answer: Some(b"{".as_slice().into()), ..put.clone() }, "the answer is not JSON"),
        (Call { answer: Some(body(json!({})).into()), ..put.clone() }, "'properties' is a required property"),
        (Call { body: body(json!({ "properties": {}, "propertys": 1 })), ..put.clone() }, "'propertys' was unexpected"),
        (Call { uri: group_path("w-1").replace("api-version", "version"), ..put.clone() }, "api-version is missing"),
        (Call { method: Method::HEAD, status: Some(200), ..put.clone() }, "there is no such operation"),
    ];
    for (call, expected) in broken {
        let Some(complaints) = contract::complaints(&[call]) else { return };
        assert!(complaints.iter().any(|complaint| complaint.contains(expected)), "{expected}: {complaints:?}");
    }
}

#[tokio::test]
async fn what_was_refused_need_not_follow_the_contract() {
    let azure = Azure::start().await;
    let refused = azure.put("w-1", &json!({ "nonsense": true })).await;
    assert_eq!(refused.status, 400);
    let Some(complaints) = contract::complaints(&azure.manager.calls()) else { return };
    assert_eq!(complaints, Vec::<String>::new());
}
