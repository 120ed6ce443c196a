//! Administration over HTTP: what the official clients do not show.

use std::time::Duration;

use local_azure::service_bus::{ServiceBus, ServiceBusConfig, SubscriptionConfig};
use reqwest::{Client, Method, StatusCode};

use test_support::peer::{PATIENCE, Peer, namespace, namespace_with, signature, valid_signature};

pub async fn ask(
    bus: &ServiceBus,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> (StatusCode, String) {
    // Another test may have installed it before.
    _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    let mut request = client.request(method, format!("http://127.0.0.1:{}{path}", bus.port())).body(body.to_owned());
    if let Some(token) = token {
        request = request.header("Authorization", token);
    }
    let response = request.send().await.expect("an answer");
    (response.status(), response.text().await.expect("a whole answer"))
}

async fn get(bus: &ServiceBus, path: &str, token: Option<&str>) -> StatusCode {
    ask(bus, Method::GET, path, token, "").await.0
}

#[tokio::test]
async fn a_token_opens_what_it_is_about_and_what_is_below() {
    let bus = namespace().await;
    let ServiceBusConfig { key_name, key, .. } = ServiceBusConfig::new();
    let about = |resource: &str| valid_signature(&format!("sb://127.0.0.1:{}/{resource}", bus.port()));
    for (token, topic, subscription) in [
        (Some(about("")), StatusCode::OK, StatusCode::OK),
        (Some(about("files")), StatusCode::OK, StatusCode::OK),
        (Some(about("FILES?api-version=2021-05")), StatusCode::OK, StatusCode::OK),
        (Some(about("files/subscriptions/all")), StatusCode::UNAUTHORIZED, StatusCode::OK),
        (Some(about("other")), StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED),
        (Some(about("fil")), StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED),
        (None, StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED),
        (Some("nonsense".to_owned()), StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(get(&bus, "/files", token.as_deref()).await, topic, "{token:?}");
        assert_eq!(get(&bus, "/files/subscriptions/all", token.as_deref()).await, subscription, "{token:?}");
    }
    let expired = signature("sb://x/", &key_name, &key, local_azure::clock::now() - Duration::from_secs(1));
    assert_eq!(get(&bus, "/files", Some(&expired)).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_of_the_identity_opens_the_namespace() {
    let check = |token: &str| (token == "of-entra").then(|| local_azure::clock::now() + Duration::from_mins(1));
    let config = ServiceBusConfig { token_check: Some(std::sync::Arc::new(check)), ..ServiceBusConfig::new() };
    let bus = namespace_with(config, SubscriptionConfig::new("all")).await;
    assert_eq!(get(&bus, "/files", Some("Bearer of-entra")).await, StatusCode::OK);
    assert_eq!(get(&bus, "/files", Some("Bearer of-nobody")).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let bus = namespace().await;
    let token = valid_signature(&format!("sb://127.0.0.1:{}/", bus.port()));
    let with = |inner: &str| format!("<entry><content>{inner}</content></entry>");
    let long = "x".repeat(51);
    for (method, path, body, status) in [
        (Method::PUT, "/new", "not xml", 400),
        (Method::PUT, "/new", &with("<Other/>"), 400),
        (
            Method::PUT,
            "/files/Subscriptions/new",
            &with("<SubscriptionDescription><LockDuration>1</LockDuration></SubscriptionDescription>"),
            400,
        ),
        (
            Method::PUT,
            "/files/Subscriptions/new",
            &with("<SubscriptionDescription><Status>Lost</Status></SubscriptionDescription>"),
            400,
        ),
        (Method::PUT, &format!("/files/Subscriptions/{long}"), &with("<SubscriptionDescription/>"), 400),
        (Method::PUT, "/files/Subscriptions/all/Rules/new", &with("<RuleDescription><Filter/></RuleDescription>"), 400),
        (Method::PUT, "/$Resources/Topics", &with("<TopicDescription/>"), 405),
        (Method::POST, "/files", "", 405),
        (Method::DELETE, "/$namespaceinfo", "", 405),
        (Method::GET, "/$other", "", 404),
        (Method::GET, "/files/Subscriptions/all/Rules/none", "", 404),
        (Method::DELETE, "/files/Subscriptions/none", "", 404),
    ] {
        let (answered, text) = ask(&bus, method.clone(), path, Some(&token), body).await;
        assert_eq!(answered.as_u16(), status, "{method} {path}: {text}");
        assert!(text.contains(&format!("<Error><Code>{status}</Code><Detail>")), "{text}");
    }
    let names: Vec<_> =
        bus.subscriptions("files").expect("the topic is there").into_iter().map(|found| found.name).collect();
    assert_eq!(names, ["all"]);
    assert!(bus.subscriptions("new").is_err());
}

#[tokio::test]
async fn a_deleted_subscription_takes_no_receivers_any_more() {
    let bus = namespace().await;
    let token = valid_signature(&format!("sb://127.0.0.1:{}/", bus.port()));
    let mut peer = Peer::connect(&bus).await;
    peer.node(test_support::peer::MANAGEMENT).await.expect("the subscription is there");
    let (deleted, _) = ask(&bus, Method::DELETE, "/files/Subscriptions/all", Some(&token), "").await;
    assert_eq!(deleted, StatusCode::OK);
    let refusal = peer.node(test_support::peer::MANAGEMENT).await.err().expect("it is gone");
    assert!(refusal.contains("could not be found"), "{refusal}");
}
