//! What is seen of a topic in which nothing goes wrong but the messages.

use super::*;

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
async fn a_page_that_comes_in_several_frames_is_read() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    // 250 of these are a page of half a MiB, in frames of 64 KiB.
    let large = |number| message(number).property("note".to_owned(), "n".repeat(2000));
    namespace.publish_all(TOPIC, (0..300).map(large)).unwrap();
    let peeker = connect(&namespace).await;
    assert_eq!(numbers(&drain(&peeker, "small", 250).await), (1..=300).collect::<Vec<_>>());
    let peeks = namespace.call_log().into_iter().filter(|call| matches!(call, Call::Peek { .. }));
    assert_eq!(peeks.count(), 3, "two pages and the end");
    peeker.close().await;
}

#[tokio::test]
async fn one_token_and_one_connection_do_for_all_subscriptions() {
    let namespace = start(local::ServiceBusConfig::new(), &["a", "b"]).await;
    let peeker = connect(&namespace).await;
    for subscription in ["a", "b", "a"] {
        assert_eq!(peek(&peeker, subscription, 1, 10).await, Ok(vec![]));
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
async fn many_subscriptions_are_peeked_side_by_side() {
    let names: Vec<String> = (0..150).map(|number| format!("s{number}")).collect();
    let namespace = start(local::ServiceBusConfig::new(), &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    namespace.publish_all(TOPIC, (0..3).map(message)).unwrap();
    let peeker = connect(&namespace).await;
    for page in join_all(names.iter().map(|name| peek(&peeker, name, 2, 10))).await {
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
    let page = peek(&connect(&namespace).await, "small", 1, 250).await.unwrap();
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
async fn a_service_that_repeats_itself_is_shown_to_do_so() {
    let namespace = start(local::ServiceBusConfig::new(), &["small"]).await;
    namespace.publish_all(TOPIC, (0..3).map(message)).unwrap();
    let peeker = connect(&namespace).await;
    namespace.inject(Fault::new(Operation::Peek, Effect::RepeatFirstPage));
    assert_eq!(numbers(&peek(&peeker, "small", 4, 250).await.unwrap()), [1, 2, 3], "it is not taken for the end");
}

#[tokio::test]
async fn a_peek_that_is_given_up_harms_no_other() {
    let names: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    let namespace = start(local::ServiceBusConfig::new(), &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    namespace.publish_all(TOPIC, (0..100).map(message)).unwrap();
    let peeker = connect(&namespace).await;
    for micros in (0..4000).step_by(200) {
        let peeks =
            names.iter().map(|name| tokio::time::timeout(Duration::from_micros(micros), peek(&peeker, name, 1, 100)));
        join_all(peeks).await;
    }
    for page in join_all(names.iter().map(|name| peek(&peeker, name, 51, 100))).await {
        assert_eq!(numbers(&page.unwrap()), (51..=100).collect::<Vec<_>>());
    }
    let connections = namespace.call_log().iter().filter(|call| **call == Call::Connect).count();
    assert_eq!(connections, 1);
}
