//! Tokens: who gets them, and what they allow.

use std::time::Duration;

use local_azure::identity::{IdentityConfig, SERVICE_BUS_AUDIENCE};
use local_azure::resource_manager::{OperationKind, ResourceManagerConfig};
use serde_json::json;

use crate::support::{API, Azure, GROUPS, Reply, read};

const QUERY: &str = "api-version=2019-08-01&resource=https://management.azure.com";

async fn ask(azure: &Azure, header: &str, query: &str) -> Reply {
    let url = format!("{}?{query}", azure.manager.identity_endpoint());
    read(azure.http.get(url).header("X-IDENTITY-HEADER", header).send().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_token_of_the_endpoint_opens_the_resource_manager() {
    let mut azure = Azure::start().await;
    let reply = ask(&azure, azure.manager.identity_header(), QUERY).await;
    assert_eq!((reply.status, &reply.body["token_type"]), (200, &json!("Bearer")));
    let expires: i64 = reply.body["expires_on"].as_str().unwrap().parse().unwrap();
    assert!(expires > local_azure::clock::now().unix_timestamp() + 3600);
    azure.token = reply.body["access_token"].as_str().unwrap().to_owned();
    assert!(azure.manager.identity().is_valid(&azure.token, "https://management.azure.com/"));
    assert_eq!(azure.get(&format!("{GROUPS}?{API}")).await.status, 200);
    assert_eq!(azure.manager.calls()[0].kind, OperationKind::GetToken);
}

#[tokio::test]
async fn an_identity_is_chosen_by_its_client_id() {
    let azure = Azure::start().await;
    let header = azure.manager.identity_header();
    let assigned = ask(&azure, header, &format!("{QUERY}&client_id=33333333-3333-3333-3333-333333333333")).await;
    assert_eq!(assigned.body["client_id"], "33333333-3333-3333-3333-333333333333");
    for unknown in ["client_id=44444444-4444-4444-4444-444444444444", "mi_res_id=/identity", "principal_id=1"] {
        let reply = ask(&azure, header, &format!("{QUERY}&{unknown}")).await;
        assert_eq!((reply.status, &reply.body["statusCode"]), (400, &json!(400)), "{unknown}");
    }
}

#[tokio::test]
async fn without_a_system_assigned_identity_the_client_must_choose() {
    let identity = IdentityConfig { system_assigned: None, ..Default::default() };
    let azure = Azure::with(ResourceManagerConfig { identity, ..Default::default() }).await;
    assert_eq!(ask(&azure, azure.manager.identity_header(), QUERY).await.status, 400);
}

#[tokio::test]
async fn the_header_and_the_query_must_be_right() {
    let azure = Azure::start().await;
    let header = azure.manager.identity_header();
    assert_eq!(ask(&azure, "guess", QUERY).await.status, 401);
    for query in
        ["api-version=2019-08-01", "resource=https://management.azure.com", "api-version=2017-09-01&resource=a"]
    {
        assert_eq!(ask(&azure, header, query).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn a_token_that_is_missing_wrong_expired_or_for_another_service_is_a_401() {
    let mut azure = Azure::start().await;
    let list = format!("{GROUPS}?{API}");
    let bare = azure.http.get(format!("{}{list}", azure.manager.endpoint())).send().await.unwrap();
    let bare = read(bare).await.unwrap();
    assert_eq!(bare.code(), (401, "AuthenticationFailed"));
    assert_eq!(bare.header("x-ms-failure-cause"), "gateway");
    let good = azure.token.clone();
    for (token, code) in [
        ("made-up".to_owned(), "InvalidAuthenticationToken"),
        (
            azure.manager.identity().issue(SERVICE_BUS_AUDIENCE, Duration::from_mins(5)),
            "InvalidAuthenticationTokenAudience",
        ),
    ] {
        azure.token = token;
        assert_eq!(azure.get(&list).await.code(), (401, code));
    }
    azure.token = good;
    assert_eq!(azure.get(&list).await.status, 200);
    azure.manager.identity().expire_all();
    let expired = azure.get(&list).await;
    assert_eq!(expired.code(), (401, "ExpiredAuthenticationToken"));
    assert!(expired.header("www-authenticate").contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn a_token_that_was_good_before_can_be_revoked_or_short_lived() {
    let mut azure = Azure::start().await;
    let list = format!("{GROUPS}?{API}");
    let identity = azure.manager.identity().clone();
    let header = azure.manager.identity_header().to_owned();
    let token = ask(&azure, &header, QUERY).await.body["access_token"].as_str().unwrap().to_owned();
    azure.token.clone_from(&token);
    assert_eq!(azure.get(&list).await.status, 200);
    identity.revoke(Some(SERVICE_BUS_AUDIENCE));
    assert_eq!(azure.get(&list).await.status, 200);
    identity.revoke(Some("https://management.azure.com/"));
    assert_eq!(azure.get(&list).await.code(), (401, "InvalidAuthenticationToken"));

    identity.set_token_lifetime(Duration::from_mins(4));
    let brief = ask(&azure, &header, QUERY).await.body;
    let left =
        brief["expires_on"].as_str().unwrap().parse::<i64>().unwrap() - local_azure::clock::now().unix_timestamp();
    assert!((200..=240).contains(&left), "{left}");

    identity.set_token_reuse(true);
    identity.revoke(None);
    let again = ask(&azure, &header, QUERY).await.body;
    assert_eq!(again["access_token"], brief["access_token"], "the endpoint does not know of the revocation");
    azure.token = again["access_token"].as_str().unwrap().to_owned();
    assert_eq!(azure.get(&list).await.status, 401);
    identity.set_token_reuse(false);
    azure.token = ask(&azure, &header, QUERY).await.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(azure.get(&list).await.status, 200);
}
