//! Tokens: whose, for what, how long.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use aci_scaler::azure::credential::Credential;
use azure_core::credentials::{AccessToken as CoreToken, TokenCredential, TokenRequestOptions};
use local_azure::identity::{Identity as LocalIdentity, IdentityConfig, SERVICE_BUS_AUDIENCE};

use super::*;

/// Where tokens of the local identity come from, and how many have been asked for.
#[derive(Clone, Debug)]
struct Source {
    identity: LocalIdentity,
    asked: Arc<AtomicUsize>,
    /// The only one there ever is, if the identity knows no better.
    only: Option<String>,
}

#[async_trait::async_trait]
impl TokenCredential for Source {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<CoreToken> {
        const LIFETIME: Duration = Duration::from_hours(24);
        self.asked.fetch_add(1, Relaxed);
        let token = self.only.clone().unwrap_or_else(|| self.identity.issue(SERVICE_BUS_AUDIENCE, LIFETIME));
        Ok(CoreToken::new(token, Clock::system().now() + LIFETIME))
    }
}

impl Source {
    fn new() -> Self {
        Self { identity: LocalIdentity::new(IdentityConfig::default()), asked: Arc::default(), only: None }
    }

    /// A namespace that takes this identity's tokens, and a client that has them.
    async fn start(&self, subscriptions: &[&str]) -> (local::ServiceBus, ServiceBus) {
        let identity = self.identity.clone();
        let check = move |token: &str| identity.expiry(token, SERVICE_BUS_AUDIENCE).ok();
        let config = local::ServiceBusConfig { token_check: Some(Arc::new(check)), ..local::ServiceBusConfig::new() };
        let namespace = start(config, subscriptions).await;
        let source = self.clone();
        let make_source = Box::new(move || Ok(Arc::new(source.clone()) as _));
        let credential = Arc::new(Credential::new("a test", make_source, Clock::system()).unwrap());
        let settings = settings(&namespace, ServiceBusAuth::Entra);
        (namespace, ServiceBus::new(&settings, credential, Clock::system(), PEEK_TIMEOUT))
    }

    fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }
}

#[tokio::test]
async fn a_revoked_token_of_microsoft_entra_is_replaced_before_anybody_notices() {
    for is_connected in [true, false] {
        let source = Source::new();
        let (namespace, client) = source.start(&["small"]).await;
        let peeker = client.connect().await.unwrap();
        assert_eq!(peek(&peeker, "small", 1, 10).await, Ok(vec![]));
        peeker.close().await;
        source.identity.revoke(None);
        if !is_connected {
            namespace.drop_connections();
        }
        let peeker = client.connect().await.unwrap();
        assert_eq!(peek(&peeker, "small", 1, 10).await, Ok(vec![]));
        assert_eq!(source.asked(), 2);
    }
}

#[tokio::test]
async fn a_token_of_microsoft_entra_with_which_a_peek_is_refused_is_asked_for_again_once() {
    let names = ["a", "b", "c", "d", "e"];
    let source = Source::new();
    let (namespace, client) = source.start(&names).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::refuse(401, "amqp:unauthorized-access")));
    for _ in 0..2 {
        let peeker = client.connect().await.unwrap();
        for page in join_all(names.map(|name| peek(&peeker, name, 1, 10))).await {
            assert!(matches!(page, Err(PeekError::Unauthorized { .. })), "{page:?}");
        }
        assert_eq!(source.asked(), 2, "whatever is refused after that, the identity is to blame");
    }
}

#[tokio::test]
async fn where_the_identity_has_no_other_token_the_refusal_counts() {
    let identity = LocalIdentity::new(IdentityConfig::default());
    let only = Some("stale".to_owned());
    let source = Source { identity, only, ..Source::new() };
    let (_namespace, client) = source.start(&["small"]).await;
    for _ in 0..3 {
        let refused = client.connect().await.unwrap_err();
        assert!(matches!(refused, PeekError::Unauthorized { .. }), "{refused:?}");
        assert_eq!(source.asked(), 2);
    }
}

#[tokio::test]
async fn each_subscription_gets_a_token_where_the_topics_is_not_enough() {
    let config = local::ServiceBusConfig { topic_tokens_cover_subscriptions: false, ..local::ServiceBusConfig::new() };
    let names: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
    let namespace = start(config, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let peeker = connect(&namespace).await;
    for page in join_all(names.iter().map(|name| peek(&peeker, name, 1, 10))).await {
        assert_eq!(page.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_when_connecting_and_not_shown() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let auth = ServiceBusAuth::SharedAccessKey { name: "RootManageSharedAccessKey".into(), key: "canary".into() };
    let refused = client(&namespace, auth, None, Clock::system()).connect().await.unwrap_err();
    assert!(matches!(refused, PeekError::Unauthorized { .. }), "{refused:?}");
    assert!(!format!("{refused:?} {refused}").contains("canary"));
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_suspected() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let late = Clock::from_fn(|| Clock::system().now() - Duration::from_hours(2));
    let refused = client(&namespace, key(), None, late).connect().await.unwrap_err();
    assert!(refused.to_string().contains("clock"), "{refused}");
    assert!(matches!(refused, PeekError::Unauthorized { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_token_that_is_refused_once_is_put_again() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let peeker = connect(&namespace).await;
    let refusal = Effect::refuse(401, "amqp:unauthorized-access");
    namespace.inject(Fault::new(Operation::Peek, refusal.clone()).times(1));
    assert_eq!(peek(&peeker, "small", 1, 10).await, Ok(vec![]));
    namespace.inject(Fault::new(Operation::Peek, refusal));
    assert!(matches!(peek(&peeker, "small", 1, 10).await, Err(PeekError::Unauthorized { .. })));
}

#[tokio::test]
async fn tokens_of_microsoft_entra_open_the_topic() {
    let expires_at = Clock::system().now() + Duration::from_hours(1);
    let check = move |token: &str| (token == "good.entra.token").then_some(expires_at);
    let config = local::ServiceBusConfig { token_check: Some(Arc::new(check)), ..local::ServiceBusConfig::new() };
    let namespace = start(config, &["small"]).await;
    let connect = |token| client(&namespace, ServiceBusAuth::Entra, token, Clock::system());
    let peeker = connect(Some("good.entra.token")).connect().await.unwrap();
    assert_eq!(peek(&peeker, "small", 1, 10).await, Ok(vec![]));
    let refused = connect(Some("bad.entra.token")).connect().await.unwrap_err();
    assert!(matches!(refused, PeekError::Unauthorized { .. }), "{refused:?}");
    let refused = connect(None).connect().await.unwrap_err();
    assert!(matches!(refused, PeekError::NoToken { .. }), "nobody has refused anything: {refused:?}");
}

#[tokio::test]
async fn a_signature_made_elsewhere_opens_what_it_is_for() {
    let namespace = start(local::ServiceBusConfig::new(), &["small", "other"]).await;
    for resource in [format!("sb://127.0.0.1/{TOPIC}"), format!("sb://127.0.0.1/{TOPIC}/Subscriptions/small")] {
        let signature = signed(&resource);
        let auth = ServiceBusAuth::SharedAccessSignature(signature.expose_secret().into());
        let peeker = client(&namespace, auth, None, Clock::system()).connect().await.unwrap();
        assert_eq!(peek(&peeker, "small", 1, 10).await, Ok(vec![]), "{resource}");
    }
}

#[tokio::test]
async fn a_signature_that_has_expired_is_refused_before_the_service_sees_it() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let auth = ServiceBusAuth::SharedAccessSignature(signed(&format!("sb://127.0.0.1/{TOPIC}")));
    let tomorrow = Clock::from_fn(|| Clock::system().now() + Duration::from_hours(24));
    let refused = client(&namespace, auth, None, tomorrow).connect().await.unwrap_err();
    assert!(
        matches!(&refused, PeekError::Unauthorized { reason } if reason.to_string().contains("clock")),
        "{refused:?}"
    );
    assert!(!namespace.call_log().iter().any(|call| matches!(call, Call::PutToken { .. })));
}

/// A signature of the local namespace's key for an hour.
fn signed(resource: &str) -> SecretString {
    use base64::Engine as _;
    use hmac::Mac as _;
    let resource = percent_encoding::utf8_percent_encode(resource, percent_encoding::NON_ALPHANUMERIC);
    let expiry = (Clock::system().now() + Duration::from_hours(1)).unix_timestamp();
    let key = local::ServiceBusConfig::new().key;
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    let signature = base64::prelude::BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let signature = percent_encoding::utf8_percent_encode(&signature, percent_encoding::NON_ALPHANUMERIC);
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn=RootManageSharedAccessKey").into()
}
