//! Peeking a Service Bus over real sockets: what is seen, and what becomes of everything that can go wrong.

use std::sync::Arc;
use std::time::Duration;

use aci_scaler::azure::credential::{AccessToken, CredentialError};
use aci_scaler::azure::service_bus::{EntraTokens, ServiceBus, ServiceBusPeeker};
use aci_scaler::clock::Clock;
use aci_scaler::message::{InvalidMessage, PeekedMessage};
use aci_scaler::services::{Messages as _, PeekError, Peeker as _};
use aci_scaler::settings::{ServiceBusAuth, ServiceBusSettings};
use futures_util::future::join_all;
use local_azure::service_bus as local;
use local_azure::service_bus::{Call, Effect, Fault, Operation, OutgoingMessage, SubscriptionConfig, Value};
use secrecy::{ExposeSecret as _, SecretString};

const TOPIC: &str = "files";

/// Short enough for a test to wait for it.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Identity(Option<SecretString>);

#[async_trait::async_trait]
impl EntraTokens for Identity {
    async fn token(&self, scope: &str) -> Result<AccessToken, CredentialError> {
        let secret = self.0.clone();
        let expires_at = Clock::system().now() + Duration::from_hours(1);
        let no_token = || CredentialError { scope: scope.to_owned(), reason: "there is no identity".to_owned() };
        secret.map(|secret| AccessToken { secret, expires_at }).ok_or_else(no_token)
    }
}

async fn start(config: local::ServiceBusConfig, subscriptions: &[&str]) -> local::ServiceBus {
    let namespace = local::ServiceBus::start(config).await.unwrap();
    namespace.create_topic(TOPIC).unwrap();
    for name in subscriptions {
        namespace.create_subscription(TOPIC, SubscriptionConfig::new(*name)).unwrap();
    }
    namespace
}

fn key() -> ServiceBusAuth {
    let local::ServiceBusConfig { key_name, key, .. } = local::ServiceBusConfig::new();
    ServiceBusAuth::SharedAccessKey { name: key_name, key: key.into() }
}

fn client(namespace: &local::ServiceBus, auth: ServiceBusAuth, identity: Option<&str>, clock: Clock) -> ServiceBus {
    let settings = ServiceBusSettings {
        host: "127.0.0.1".to_owned(),
        port: namespace.port(),
        tls: false,
        auth,
        namespace: namespace.namespace().to_owned(),
        topic: TOPIC.to_owned(),
        resource_group: "group".to_owned(),
    };
    ServiceBus::new(&settings, Arc::new(Identity(identity.map(Into::into))), clock).with_peek_timeout(PATIENCE)
}

async fn connect(namespace: &local::ServiceBus) -> ServiceBusPeeker {
    client(namespace, key(), None, Clock::system()).connect().await.unwrap()
}

fn message(number: usize) -> OutgoingMessage {
    let id = Value::String(format!("m{number}"));
    OutgoingMessage::new().message_id(id).property("file_size_mb".to_owned(), 50_i32).body("not looked at")
}

fn numbers(page: &[PeekedMessage]) -> Vec<i64> {
    page.iter().map(|message| message.sequence_number).collect()
}

async fn drain(peeker: &ServiceBusPeeker, subscription: &str, page_size: u32) -> Vec<PeekedMessage> {
    let mut all = Vec::new();
    loop {
        let from = all.last().map_or(1, |last: &PeekedMessage| last.sequence_number + 1);
        let page = peeker.peek(subscription, from, page_size).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn fault_at(subscription: &str, operation: Operation, effect: Effect) -> Fault {
    Fault::new(operation, effect).of_subscription(TOPIC, subscription)
}

#[tokio::test]
async fn a_backlog_of_5000_messages_is_read_to_its_end_without_bodies() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish_all(TOPIC, (0..5000).map(message)).unwrap();
    let peeker = connect(&namespace).await;
    let all = drain(&peeker, "small", 250).await;
    assert_eq!(all.len(), 5000);
    assert_eq!(all[4999].message_id.as_ref().unwrap().as_str(), "m4999");
    assert!(all.iter().all(|message| message.file_size_mb.as_ref().unwrap().to_string() == "50"));
    let with_bodies = |call: &Call| matches!(call, Call::Peek { omit_body: false, .. });
    assert!(!namespace.call_log().iter().any(with_bodies));
    peeker.close().await;
}

#[tokio::test]
async fn one_token_and_one_connection_do_for_all_subscriptions() {
    let namespace = start(local::ServiceBusConfig::new(), &["a", "b"]).await;
    let peeker = connect(&namespace).await;
    for subscription in ["a", "b", "a"] {
        assert_eq!(peeker.peek(subscription, 1, 10).await, Ok(vec![]));
    }
    peeker.close().await;
    let calls = namespace.call_log();
    assert_eq!(calls.iter().filter(|call| **call == Call::Connect).count(), 1);
    assert_eq!(calls.iter().filter(|call| matches!(call, Call::PutToken { .. })).count(), 1);
    let attached =
        calls.iter().filter(|call| matches!(call, Call::Attach { address, .. } if address != "$cbs")).count();
    assert_eq!(attached, 4, "{calls:?}");
    assert!(!calls.iter().any(|call| matches!(call, Call::Receive { .. } | Call::Settle { .. })));
}

#[tokio::test]
async fn each_subscription_gets_a_token_where_the_topics_is_not_enough() {
    let config = local::ServiceBusConfig { topic_tokens_cover_subscriptions: false, ..local::ServiceBusConfig::new() };
    let names: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
    let namespace = start(config, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let peeker = connect(&namespace).await;
    for page in join_all(names.iter().map(|name| peeker.peek(name, 1, 10))).await {
        assert_eq!(page.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn many_subscriptions_are_peeked_side_by_side() {
    let names: Vec<String> = (0..150).map(|number| format!("s{number}")).collect();
    let namespace = start(local::ServiceBusConfig::new(), &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    namespace.publish_all(TOPIC, (0..3).map(message)).unwrap();
    let peeker = connect(&namespace).await;
    for page in join_all(names.iter().map(|name| peeker.peek(name, 2, 10))).await {
        assert_eq!(page.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn an_odd_message_hides_no_other() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let odd = [
        message(0).property("list".to_owned(), Value::List(vec![Value::Null])),
        message(1).property(Value::Symbol("symbol".into()), 1_i32),
        message(2).content_type(Value::String("text/plain".to_owned())),
        message(3).message_id(Value::Int(3)),
        message(4).property("file_size_mb".to_owned(), true),
        OutgoingMessage::encoded(vec![0xff; 30]),
        message(6),
    ];
    namespace.publish_all(TOPIC, odd).unwrap();
    let page = connect(&namespace).await.peek("small", 1, 250).await.unwrap();
    assert_eq!(numbers(&page), [1, 2, 3, 4, 5, 6, 7]);
    for whole in [0, 1, 2, 6] {
        assert!(page[whole].message_id.is_ok() && page[whole].file_size_mb.is_ok(), "{:?}", page[whole]);
    }
    assert!(matches!(page[3].message_id, Err(InvalidMessage::Undecodable { .. })), "{:?}", page[3]);
    assert!(matches!(page[4].file_size_mb, Err(InvalidMessage::FileSizeNotANumber { .. })), "{:?}", page[4]);
    assert!(page[5].message_id.is_err() && page[5].file_size_mb.is_err(), "{:?}", page[5]);
}

#[tokio::test]
async fn messages_that_are_cut_short_still_lead_on() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish_all(TOPIC, (0..5).map(message)).unwrap();
    namespace.inject(Fault::new(Operation::Peek, Effect::TruncatedMessages));
    let peeker = connect(&namespace).await;
    let all = drain(&peeker, "small", 2).await;
    assert_eq!(numbers(&all), [1, 2, 3, 4, 5]);
    assert!(all.iter().all(|message| message.file_size_mb.is_err()), "{all:?}");
}

#[tokio::test]
async fn short_pages_are_read_on() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish_all(TOPIC, (0..7).map(message)).unwrap();
    namespace.inject(Fault::new(Operation::Peek, Effect::PageLimit(3)));
    assert_eq!(drain(&connect(&namespace).await, "small", 250).await.len(), 7);
}

#[tokio::test]
async fn a_service_that_repeats_itself_is_not_taken_for_the_end() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish_all(TOPIC, (0..3).map(message)).unwrap();
    let peeker = connect(&namespace).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::RepeatFirstPage));
    assert!(matches!(peeker.peek("small", 4, 250).await, Err(PeekError::Unavailable { .. })));
}

#[tokio::test]
async fn a_subscription_that_hangs_holds_up_no_other() {
    for operation in [Operation::Attach, Operation::Peek] {
        let namespace = start(local::ServiceBusConfig::new(), &["bad", "good"]).await;
        namespace.publish(TOPIC, message(1)).unwrap();
        namespace.inject(fault_at("bad", operation, Effect::Hang));
        let peeker = connect(&namespace).await;
        for _ in 0..2 {
            let (bad, good) = tokio::join!(peeker.peek("bad", 1, 10), peeker.peek("good", 1, 10));
            assert_eq!(bad, Err(PeekError::TimedOut { after: PATIENCE }), "{operation:?}");
            assert_eq!(good.unwrap().len(), 1, "{operation:?}");
        }
        peeker.close().await;
    }
}

#[tokio::test]
async fn a_late_reply_is_not_taken_for_the_answer_to_another_request() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish_all(TOPIC, (0..20).map(message)).unwrap();
    let peeker = connect(&namespace).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::Delay(PATIENCE + PATIENCE / 2)).times(1));
    assert!(matches!(peeker.peek("small", 1, 5).await, Err(PeekError::TimedOut { .. })));
    namespace.inject(Fault::new(Operation::Peek, Effect::Delay(PATIENCE * 3 / 4)).times(1));
    assert_eq!(numbers(&peeker.peek("small", 11, 2).await.unwrap()), [11, 12]);
}

#[tokio::test]
async fn a_reply_to_nobody_is_waited_past() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let peeker = connect(&namespace).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::WrongCorrelationId).times(1));
    assert!(matches!(peeker.peek("small", 1, 5).await, Err(PeekError::TimedOut { .. })));
    assert_eq!(peeker.peek("small", 1, 5).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_peek_that_is_given_up_harms_no_other() {
    let names: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    let namespace = start(local::ServiceBusConfig::new(), &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    namespace.publish_all(TOPIC, (0..100).map(message)).unwrap();
    let peeker = connect(&namespace).await;
    for micros in (0..4000).step_by(200) {
        let peeks =
            names.iter().map(|name| tokio::time::timeout(Duration::from_micros(micros), peeker.peek(name, 1, 100)));
        join_all(peeks).await;
    }
    for page in join_all(names.iter().map(|name| peeker.peek(name, 51, 100))).await {
        assert_eq!(numbers(&page.unwrap()), (51..=100).collect::<Vec<_>>());
    }
    let connections = namespace.call_log().iter().filter(|call| **call == Call::Connect).count();
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn a_link_that_was_idle_too_long_is_attached_again_unnoticed() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let peeker = connect(&namespace).await;
    let detach = Effect::DetachLink {
        condition: "amqp:link:detach-forced".to_owned(),
        description: "IdleTimerExpired: Idle timeout: 00:10:00.".to_owned(),
    };
    namespace.inject(Fault::new(Operation::Peek, detach.clone()).times(1));
    assert_eq!(peeker.peek("small", 1, 10).await.unwrap().len(), 1);
    namespace.inject(Fault::new(Operation::Peek, detach));
    assert!(matches!(peeker.peek("small", 1, 10).await, Err(PeekError::Unavailable { .. })));
}

#[tokio::test]
async fn a_lost_connection_is_replaced_unnoticed() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let peeker = connect(&namespace).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::DropConnection).times(1));
    assert_eq!(peeker.peek("small", 1, 10).await.unwrap().len(), 1);
    assert_eq!(namespace.call_log().iter().filter(|call| **call == Call::Connect).count(), 2);
}

#[tokio::test]
async fn a_subscription_that_costs_the_connection_every_time_costs_no_other_its_peek() {
    let mut names = vec!["bad".to_owned()];
    names.extend((0..20).map(|number| format!("s{number}")));
    let namespace = start(local::ServiceBusConfig::new(), &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    namespace.inject(fault_at("bad", Operation::Peek, Effect::DropConnection));
    let peeker = connect(&namespace).await;
    let pages = join_all(names.iter().map(|name| peeker.peek(name, 1, 10))).await;
    assert!(matches!(pages[0], Err(PeekError::Unavailable { .. })), "{:?}", pages[0]);
    assert!(pages[1..].iter().all(|page| page.as_ref().is_ok_and(|page| page.len() == 1)), "{pages:?}");
}

#[tokio::test]
async fn a_namespace_that_is_gone_is_unavailable() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let peeker = connect(&namespace).await;
    namespace.shutdown();
    for _ in 0..2 {
        assert!(matches!(peeker.peek("small", 1, 10).await, Err(PeekError::Unavailable { .. })));
    }
    let again = client(&namespace, key(), None, Clock::system()).connect().await;
    assert!(matches!(again.map(|_| ()), Err(PeekError::Unavailable { .. })));
}

#[tokio::test]
async fn a_busy_namespace_is_left_alone_for_all_subscriptions() {
    let namespace = start(local::ServiceBusConfig::new(), &["a", "b"]).await;
    let peeker = connect(&namespace).await;
    namespace.inject(fault_at("a", Operation::Peek, Effect::server_busy()));
    let busy = peeker.peek("a", 1, 10).await;
    assert_eq!(busy, Err(PeekError::Busy { retry_after: Duration::from_secs(10) }));
    namespace.clear_call_log();
    assert!(matches!(peeker.peek("b", 1, 10).await, Err(PeekError::Busy { .. })));
    assert_eq!(namespace.call_log(), []);
}

#[tokio::test]
async fn a_slow_subscription_is_asked_for_less_once() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let peeker = connect(&namespace).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::refuse(408, "com.microsoft:timeout")));
    assert!(matches!(peeker.peek("small", 1, 9).await, Err(PeekError::Unavailable { .. })));
    let counts: Vec<i64> = namespace
        .call_log()
        .into_iter()
        .filter_map(|call| if let Call::Peek { count, .. } = call { Some(count) } else { None })
        .collect();
    assert_eq!(counts, [9, 5]);
}

#[tokio::test]
async fn what_somebody_has_to_mend_is_told_from_what_may_pass() {
    let cases = [
        (404, "amqp:not-found", true),
        (403, "com.microsoft:entity-disabled", true),
        (400, "amqp:not-allowed", true),
        (500, "amqp:internal-error", false),
        (400, "com.microsoft:argument-error", false),
    ];
    for operation in [Operation::Attach, Operation::Peek] {
        for (status, condition, lasting) in cases {
            let namespace = start(local::ServiceBusConfig::new(), &["bad", "good"]).await;
            namespace.inject(fault_at("bad", operation, Effect::refuse(status, condition)));
            let peeker = connect(&namespace).await;
            let refused = peeker.peek("bad", 1, 10).await.unwrap_err();
            assert_eq!(matches!(refused, PeekError::Misconfigured { .. }), lasting, "{operation:?} {refused:?}");
            assert!(refused.to_string().contains(condition), "{refused}");
            assert_eq!(peeker.peek("good", 1, 10).await, Ok(vec![]), "{operation:?} {condition}");
        }
    }
}

#[tokio::test]
async fn a_subscription_that_does_not_exist_is_misconfigured() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let peeker = connect(&namespace).await;
    assert!(matches!(peeker.peek("none", 1, 10).await, Err(PeekError::Misconfigured { .. })));
    namespace.set_status(TOPIC, "small", local::SubscriptionStatus::Disabled).unwrap();
    assert!(matches!(peeker.peek("small", 1, 10).await, Err(PeekError::Misconfigured { .. })));
}

#[tokio::test]
async fn garbage_instead_of_a_reply_is_unavailable_and_harms_no_other() {
    let namespace = start(local::ServiceBusConfig::new(), &["bad", "good"]).await;
    namespace.inject(fault_at("bad", Operation::Peek, Effect::UndecodableReply));
    let peeker = connect(&namespace).await;
    assert!(matches!(peeker.peek("bad", 1, 10).await, Err(PeekError::Unavailable { .. })));
    assert_eq!(peeker.peek("good", 1, 10).await, Ok(vec![]));
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
    assert_eq!(peeker.peek("small", 1, 10).await, Ok(vec![]));
    namespace.inject(Fault::new(Operation::Peek, refusal));
    assert!(matches!(peeker.peek("small", 1, 10).await, Err(PeekError::Unauthorized { .. })));
}

#[tokio::test]
async fn tokens_of_microsoft_entra_open_the_topic() {
    let expires_at = Clock::system().now() + Duration::from_hours(1);
    let check = move |token: &str| (token == "good.entra.token").then_some(expires_at);
    let config = local::ServiceBusConfig { token_check: Some(Arc::new(check)), ..local::ServiceBusConfig::new() };
    let namespace = start(config, &["small"]).await;
    let connect = |token| client(&namespace, ServiceBusAuth::Entra, token, Clock::system());
    let peeker = connect(Some("good.entra.token")).connect().await.unwrap();
    assert_eq!(peeker.peek("small", 1, 10).await, Ok(vec![]));
    for token in [Some("bad.entra.token"), None] {
        let refused = connect(token).connect().await.unwrap_err();
        assert!(matches!(refused, PeekError::Unauthorized { .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn a_signature_made_elsewhere_opens_what_it_is_for() {
    let namespace = start(local::ServiceBusConfig::new(), &["small", "other"]).await;
    for resource in [format!("sb://127.0.0.1/{TOPIC}"), format!("sb://127.0.0.1/{TOPIC}/Subscriptions/small")] {
        let signature = signed(&resource);
        let auth = ServiceBusAuth::SharedAccessSignature(signature.expose_secret().into());
        let peeker = client(&namespace, auth, None, Clock::system()).connect().await.unwrap();
        assert_eq!(peeker.peek("small", 1, 10).await, Ok(vec![]), "{resource}");
    }
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
