//! Messages that can get no group: each is reported with its reason, and none is in the way of the others.

use std::time::Duration;

use local_azure::service_bus::{OutgoingMessage, Value};

use crate::support::{World, counts, message, messages};

fn with_size(id: &str, size: impl Into<Value>) -> OutgoingMessage {
    OutgoingMessage::new().message_id(id).property("file_size_mb", size)
}

#[tokio::test]
async fn every_invalid_file_size_is_told_with_its_reason_and_the_pass_goes_on() {
    let world = World::new(&["a"]).await;
    world.send(
        "a",
        [
            OutgoingMessage::new().message_id("none"),
            with_size("word", "fifty"),
            with_size("empty", ""),
            with_size("unit", "50 MB"),
            with_size("bool", true),
            with_size("negative", -1_i32),
            with_size("negative text", "-0.5"),
            with_size("infinite", f64::INFINITY),
            with_size("not a number", f32::NAN),
            with_size("nan text", "NaN"),
            with_size("binary", Value::Binary(vec![1].into())),
            with_size("list", Value::List(vec![Value::Int(1)])),
            with_size("null", Value::Null),
            message("valid", 10),
        ],
    );
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1), ("invalid", 13)]));
    let reasons = pass.reasons("invalid");
    assert_eq!(reasons.len(), 13);
    insta::assert_debug_snapshot!(reasons);
    world.group_of("valid");
    assert!(pass.log.is_empty() || !pass.log.contains("panicked"), "{}", pass.log);
}

#[tokio::test]
async fn every_kind_of_number_and_numeric_text_is_a_file_size() {
    let world = World::new(&["a"]).await;
    let sizes: [(&str, Value); 14] = [
        ("ubyte", Value::Ubyte(128)),
        ("ushort", Value::Ushort(128)),
        ("uint", Value::Uint(128)),
        ("ulong", Value::Ulong(128)),
        ("byte", Value::Byte(127)),
        ("short", Value::Short(128)),
        ("int", Value::Int(128)),
        ("long", Value::Long(128)),
        ("float", Value::Float(127.5.into())),
        ("double", Value::Double(127.5.into())),
        ("text", Value::from("127.5")),
        ("spaces", Value::from(" 128 ")),
        ("exponent", Value::from("1.28e2")),
        ("zero", Value::Int(0)),
    ];
    world.send("a", sizes.map(|(id, size)| with_size(id, size)));
    assert_eq!(world.pass().await.messages(), counts([("created", 14)]));
    for group in world.groups() {
        let expected = if group.tags["message_id"] == "zero" { 0.5 } else { 1.0 };
        assert!((group.memory_gb - expected).abs() < f64::EPSILON, "{group:?}");
    }
}

#[tokio::test]
async fn a_message_without_an_id_is_invalid() {
    let world = World::new(&["a"]).await;
    world.send("a", [OutgoingMessage::new().property("file_size_mb", 1), message("valid", 1)]);
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 1), ("invalid", 1)]));
    assert!(pass.reasons("invalid")[""].contains("message id"), "{pass:#?}");
}

#[tokio::test]
async fn a_message_that_is_no_amqp_at_all_hides_none_of_its_page() {
    let world = World::new(&["a"]).await;
    world.send("a", messages("before", 1));
    let odd = OutgoingMessage::new()
        .message_id("odd")
        .content_type("a string where a symbol belongs")
        .property("list", Value::List(vec![Value::Int(1)]))
        .property("file_size_mb", 128);
    world.send("a", [odd]);
    world.send("a", messages("after", 1));
    assert_eq!(world.pass().await.messages(), counts([("created", 3)]));
}

#[tokio::test]
async fn an_expired_message_gets_no_group() {
    let world = World::new(&["a"]).await;
    world.send("a", [message("short", 1).time_to_live(Duration::from_millis(1)), message("long", 1)]);
    // The broker may have dropped it by then, or still show it.
    let pass = world.pass().await;
    assert_eq!(pass.messages()["created"], 1, "{pass:#?}");
    world.group_of("long");
}

#[tokio::test]
async fn only_the_first_of_two_messages_of_one_id_gets_a_group() {
    let world = World::new(&["a", "b"]).await;
    world.send("a", [message("same", 1), message("same", 1)]);
    world.send("b", [message("same", 1)]);
    let pass = world.pass().await;
    assert_eq!(pass.messages(), counts([("created", 2), ("duplicate", 1)]), "another subscription is another message");
}
