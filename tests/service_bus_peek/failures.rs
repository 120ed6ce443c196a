//! What becomes of everything that can go wrong.

use super::network::Network;
use super::*;

#[tokio::test]
async fn a_subscription_that_hangs_holds_up_no_other() {
    const PATIENCE: Duration = Duration::from_secs(1);
    for operation in [Operation::Attach, Operation::Peek] {
        let namespace = start(local::ServiceBusConfig::new(), &["bad", "good"]).await;
        namespace.publish(TOPIC, message(1)).unwrap();
        namespace.inject(fault_at("bad", operation, Effect::Hang));
        let peeker = connect_with_patience(&namespace, PATIENCE).await;
        for _ in 0..2 {
            let (bad, good) = tokio::join!(peek(&peeker, "bad", 1, 10), peek(&peeker, "good", 1, 10));
            assert_eq!(bad, Err(PeekError::TimedOut { after: PATIENCE }), "{operation:?}");
            assert_eq!(good.unwrap().len(), 1, "{operation:?}");
        }
        peeker.close().await;
    }
}

#[tokio::test]
async fn a_late_reply_is_not_taken_for_the_answer_to_another_request() {
    const PATIENCE: Duration = Duration::from_secs(2);
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish_all(TOPIC, (0..20).map(message)).unwrap();
    let peeker = connect_with_patience(&namespace, PATIENCE).await;
    // The first answer comes a second after the first peek was given up, the second one a little later still.
    namespace.inject(Fault::new(Operation::Peek, Effect::Delay(Duration::from_secs(3))).times(1));
    assert!(matches!(peek(&peeker, "small", 1, 5).await, Err(PeekError::TimedOut { .. })));
    namespace.inject(Fault::new(Operation::Peek, Effect::Delay(Duration::from_millis(1250))).times(1));
    assert_eq!(numbers(&peek(&peeker, "small", 11, 2).await.unwrap()), [11, 12]);
}

#[tokio::test]
async fn a_reply_to_nobody_is_waited_past() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let peeker = connect_with_patience(&namespace, Duration::from_secs(1)).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::WrongCorrelationId).times(1));
    assert!(matches!(peek(&peeker, "small", 1, 5).await, Err(PeekError::TimedOut { .. })));
    assert_eq!(peek(&peeker, "small", 1, 5).await.unwrap().len(), 1);
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
    assert_eq!(peek(&peeker, "small", 1, 10).await.unwrap().len(), 1);
    namespace.inject(Fault::new(Operation::Peek, detach));
    assert!(matches!(peek(&peeker, "small", 1, 10).await, Err(PeekError::Unavailable { .. })));
}

/// A link that is attached and so soon after detached for want of a claim.
fn detached_at_once(after_ms: u64) -> Fault {
    let effect = Effect::DetachAfterAttach {
        after: Duration::from_millis(after_ms),
        condition: "amqp:unauthorized-access".to_owned(),
        description: "'Listen' claim(s) are required".to_owned(),
    };
    fault_at("bad", Operation::Attach, effect)
}

#[tokio::test]
async fn a_link_that_is_attached_and_detached_at_once_keeps_its_reason_for_every_request() {
    for after_ms in [0, 1, 2].repeat(5) {
        let namespace = start(local::ServiceBusConfig::new(), &["bad", "good"]).await;
        namespace.inject(detached_at_once(after_ms));
        let peeker = connect(&namespace).await;
        let refused = join_all((0..40).map(|_| peek(&peeker, "bad", 1, 10)));
        let (refused, good) = tokio::join!(refused, peek(&peeker, "good", 1, 10));
        for refused in refused {
            match refused {
                Err(PeekError::Unauthorized { reason }) => {
                    assert!(reason.to_string().contains("'Listen' claim(s) are required"), "{after_ms} ms: {reason}");
                }
                // The answer may come before the detach.
                Ok(_) if after_ms > 0 => {}
                other => panic!("{after_ms} ms: {other:?}"),
            }
        }
        assert_eq!(good, Ok(vec![]), "{after_ms} ms");
        assert_eq!(namespace.call_log().iter().filter(|call| **call == Call::Connect).count(), 1, "{after_ms} ms");
    }
}

#[tokio::test]
async fn a_subscription_gets_a_token_of_its_own_when_its_links_are_attached_and_detached_at_once() {
    for _ in 0..10 {
        let namespace = start(local::ServiceBusConfig::new(), &["bad"]).await;
        // The two links of the first pair.
        namespace.inject(detached_at_once(0).times(2));
        let peeker = connect(&namespace).await;
        namespace.clear_call_log();
        assert_eq!(peek(&peeker, "bad", 1, 10).await, Ok(vec![]));
        let token = |call| if let Call::PutToken { name } = call { Some(name) } else { None };
        let tokens: Vec<String> = namespace.call_log().into_iter().filter_map(token).collect();
        assert_eq!(tokens, [format!("sb://127.0.0.1/{TOPIC}/Subscriptions/bad")]);
    }
}

#[tokio::test]
async fn a_lost_connection_is_replaced_unnoticed() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let peeker = connect(&namespace).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::DropConnection).times(1));
    assert_eq!(peek(&peeker, "small", 1, 10).await.unwrap().len(), 1);
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
    let pages = join_all(names.iter().map(|name| peek(&peeker, name, 1, 10))).await;
    assert!(matches!(pages[0], Err(PeekError::Unavailable { .. })), "{:?}", pages[0]);
    assert!(pages[1..].iter().all(|page| page.as_ref().is_ok_and(|page| page.len() == 1)), "{pages:?}");
}

#[tokio::test]
async fn a_namespace_that_is_gone_is_unavailable() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let peeker = connect(&namespace).await;
    namespace.shutdown();
    for _ in 0..2 {
        assert!(matches!(peek(&peeker, "small", 1, 10).await, Err(PeekError::Unavailable { .. })));
    }
    let again = client(&namespace, key(), None, Clock::system()).connect().await;
    assert!(matches!(again.map(|_| ()), Err(PeekError::Unavailable { .. })));
}

#[tokio::test]
async fn a_busy_namespace_is_left_alone_for_all_subscriptions() {
    let namespace = start(local::ServiceBusConfig::new(), &["a", "b"]).await;
    let peeker = connect(&namespace).await;
    namespace.inject(fault_at("a", Operation::Peek, Effect::server_busy()));
    let busy = peek(&peeker, "a", 1, 10).await;
    assert_eq!(busy, Err(PeekError::Busy { retry_after: Duration::from_secs(10) }));
    namespace.clear_call_log();
    assert!(matches!(peek(&peeker, "b", 1, 10).await, Err(PeekError::Busy { .. })));
    assert_eq!(namespace.call_log(), []);
}

#[tokio::test]
async fn a_slow_subscription_is_asked_for_less_once() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let peeker = connect(&namespace).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::refuse(408, "com.microsoft:timeout")));
    assert!(matches!(peek(&peeker, "small", 1, 9).await, Err(PeekError::Unavailable { .. })));
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
            let refused = peek(&peeker, "bad", 1, 10).await.unwrap_err();
            assert_eq!(matches!(refused, PeekError::Misconfigured { .. }), lasting, "{operation:?} {refused:?}");
            assert!(refused.to_string().contains(condition), "{refused}");
            assert_eq!(peek(&peeker, "good", 1, 10).await, Ok(vec![]), "{operation:?} {condition}");
        }
    }
}

#[tokio::test]
async fn a_subscription_that_does_not_exist_is_misconfigured() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let peeker = connect(&namespace).await;
    assert!(matches!(peek(&peeker, "none", 1, 10).await, Err(PeekError::Misconfigured { .. })));
    namespace.set_status(TOPIC, "small", local::SubscriptionStatus::Disabled).unwrap();
    assert!(matches!(peek(&peeker, "small", 1, 10).await, Err(PeekError::Misconfigured { .. })));
}

#[tokio::test]
async fn garbage_instead_of_a_reply_is_unavailable_and_harms_no_other() {
    let namespace = start(local::ServiceBusConfig::new(), &["bad", "good"]).await;
    namespace.inject(fault_at("bad", Operation::Peek, Effect::UndecodableReply));
    let peeker = connect(&namespace).await;
    assert!(matches!(peek(&peeker, "bad", 1, 10).await, Err(PeekError::Unavailable { .. })));
    assert_eq!(peek(&peeker, "good", 1, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn a_frame_that_nobody_can_read_costs_only_the_connection() {
    let namespace = start(local::ServiceBusConfig::new(), &["bad", "good"]).await;
    namespace.inject(Fault::new(Operation::Connect, Effect::BrokenFrame).times(2));
    let peeker = connect(&namespace).await;
    namespace.inject(fault_at("bad", Operation::Peek, Effect::BrokenFrame).times(1));
    assert_eq!(peek(&peeker, "bad", 1, 10).await, Ok(vec![]));
    assert_eq!(peek(&peeker, "good", 1, 10).await, Ok(vec![]));
    assert_eq!(namespace.call_log().iter().filter(|call| matches!(call, Call::Connect)).count(), 4);
}

#[tokio::test]
async fn a_namespace_without_tls_is_not_talked_to_without_tls() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let settings = ServiceBusSettings { tls: true, ..settings(&namespace, key()) };
    let client = ServiceBus::new(&settings, Arc::new(Identity(None)), Clock::system(), PEEK_TIMEOUT);
    let refused = client.connect().await.unwrap_err();
    assert!(matches!(refused, PeekError::Unavailable { .. }), "{refused:?}");
    assert!(!namespace.call_log().iter().any(|call| matches!(call, Call::PutToken { .. })));
}

/// An error in words: nothing of how a library's types are called shows.
fn assert_in_words(error: &PeekError, what: &str) {
    let text = error.to_string();
    let is_camel = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    let is_code = |word: &&str| word.as_bytes().windows(2).any(is_camel);
    let code: Vec<_> = text.split(|letter: char| !letter.is_alphanumeric()).filter(is_code).collect();
    assert!(code.is_empty() && !text.contains(['{', '}', '"']), "{what}: {text} ({code:?})");
}

#[tokio::test]
async fn whatever_ends_a_link_a_session_or_a_connection_is_said_in_words() {
    let detached = Effect::DetachLink { condition: "amqp:link:stolen".into(), description: "It was stolen.".into() };
    for operation in [Operation::Connect, Operation::PutToken, Operation::Attach, Operation::Peek] {
        let refused = Effect::Refuse { status: 500, condition: "x:odd".into(), description: "It is odd.".into() };
        let nonsense = [Effect::BrokenFrame, Effect::UndecodableReply];
        for effect in [refused, Effect::DropConnection, detached.clone()].into_iter().chain(nonsense) {
            if !effect.is_of(operation) {
                continue;
            }
            let what = format!("{operation:?} {effect:?}");
            let namespace = start(local::ServiceBusConfig::new(), &["bad"]).await;
            namespace.inject(Fault::new(operation, effect));
            let error = match client(&namespace, key(), None, Clock::system()).connect().await {
                Ok(peeker) => peek(&peeker, "bad", 1, 10).await.expect_err(&what),
                Err(error) => error,
            };
            assert_in_words(&error, &what);
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_at_any_moment_is_said_to_be_interrupted() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    let mut interrupted = 0;
    for bytes in (0..1200).step_by(40) {
        let network = Network::to(namespace.port()).await;
        network.reset_after(bytes);
        let settings = ServiceBusSettings { port: network.port, ..settings(&namespace, key()) };
        let client = ServiceBus::new(&settings, Arc::new(Identity(None)), Clock::system(), PEEK_TIMEOUT);
        let error = match client.connect().await {
            Ok(peeker) => peek(&peeker, "small", 1, 10).await.err(),
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            assert_in_words(&error, &format!("after {bytes} bytes"));
            assert!(error.to_string().contains("interrupted"), "after {bytes} bytes: {error}");
            interrupted += 1;
        }
    }
    assert!(interrupted > 20, "{interrupted}");
}
