//! Assumptions about Service Bus.

use std::time::Duration;

use aci_scaler::message::{PeekedMessage, SubscriptionName, partition_of};
use aci_scaler::services::{Messages as _, PeekError, Peeker as _};
use local_azure::client::Client;
use local_azure::sample;
use local_azure::service_bus::OutgoingMessage;
use reqwest::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::assumption::Certainty::{Documented, Inferred, Open, Recorded};
use crate::assumption::{Assumption, Certainty, Question};
use crate::ground::Ground;

const UNSERVED: [&str; 2] = ["tests/local-azure/src/service_bus/protocol/attach.rs", "src/plan/reading.rs"];
const PARTITIONS: [&str; 2] = ["tests/local-azure/src/service_bus/broker/partitioning.rs", "src/pass/observe"];

/// The assumptions, in the order in which they are tested.
pub fn all() -> Vec<Assumption> {
    let one = |name, statement, (certainty, source): (Certainty, _), rests_on, expected, question: Question| {
        Assumption { name, statement, source, certainty, rests_on, expected, question }
    };
    vec![
        one(
            "peek-in-order",
            "A peek shows the messages of a subscription by ascending numbers, from the one asked for on.",
            (Documented, "message-browsing.md"),
            &["tests/local-azure/src/service_bus/broker/queue.rs", "src/pass/observe"],
            "all in order, then from the second on, then none",
            |ground| Box::pin(peek_in_order(ground)),
        ),
        one(
            "peek-without-bodies",
            "A peek that asks for no bodies gets none, so that a page of 1 MiB has room for many large messages.",
            (Inferred, "azure-sdk-for-js#21002: what that SDK asks for in its own use"),
            &["tests/local-azure/src/service_bus/protocol/management.rs", "src/azure/service_bus/topic_links.rs"],
            "all on one page",
            |ground| Box::pin(peek_without_bodies(ground)),
        ),
        one(
            "largest-message",
            "A topic of the Standard tier refuses messages of more than 256 KiB.",
            (Documented, "service-bus-quotas.md"),
            &["tests/local-azure/src/service_bus/protocol/attach.rs", "src/azure/service_bus/request_response.rs"],
            "250,000 bytes are accepted, 270,000 are not",
            |ground| Box::pin(largest_message(ground)),
        ),
        one(
            "token-of-a-topic",
            "A token for the topic opens the management nodes of its subscriptions.",
            (Open, "a token for a path opens what is below it; whether that holds for $management nobody says"),
            &["tests/local-azure/src/service_bus/protocol/cbs.rs", "src/azure/service_bus/topic_links.rs"],
            "opens them",
            |ground| Box::pin(token_of_a_topic(ground)),
        ),
        one(
            "peek-of-a-session-subscription",
            "A peek of a subscription with sessions, without one, is answered with messages.",
            (Inferred, "azure-sdk-for-js#7903: not a reliable way to see all"),
            &UNSERVED,
            "messages",
            |ground| Box::pin(peek_of(ground, "<RequiresSession>true</RequiresSession>")),
        ),
        one(
            "peek-of-a-disabled-subscription",
            "A peek of a subscription that is disabled is refused for what it is.",
            (Documented, "entity-suspend.md"),
            &UNSERVED,
            "refused",
            |ground| Box::pin(peek_of(ground, "<Status>Disabled</Status>")),
        ),
        one(
            "peek-of-a-forwarding-subscription",
            "A peek of a subscription that forwards is refused for what it is.",
            (Recorded, "Xabaril HealthChecks#1560, azure-sdk-for-net#34816"),
            &UNSERVED,
            "refused",
            |ground| Box::pin(peek_of_a_forwarding_subscription(ground)),
        ),
        one(
            "list-of-subscriptions",
            "Resource Manager's list says the status of a subscription, what it forwards to and whether it requires sessions.",
            (Documented, "the contract of 2021-11-01"),
            &["tests/local-azure/src/resource_manager/topics.rs", "src/azure/topic_subscriptions.rs"],
            "status, requiresSession, countDetails",
            |ground| Box::pin(list_of_subscriptions(ground)),
        ),
        one(
            "counts-lag",
            "The count of a subscription's messages in Resource Manager's list is right within a minute.",
            (Inferred, "counts of the portal lag"),
            &["tests/local-azure/src/local.rs", "src/plan/facts/messages.rs"],
            "within a minute",
            |ground| Box::pin(counts_lag(ground)),
        ),
        one(
            "numbers-of-a-partitioned-topic",
            "The upper 16 bits of a sequence number are the partition's id, which is not 0 for all.",
            (Documented, "message-sequencing.md; azure-service-bus#239"),
            &PARTITIONS,
            "an id above 0",
            |ground| Box::pin(numbers_of_a_partitioned_topic(ground)),
        ),
        one(
            "look-up-on-a-partitioned-topic",
            "A peek from a message's own number on begins with that message, in whatever partition it is.",
            (Inferred, "tests of azure-sdk-for-java"),
            &PARTITIONS,
            "the message first, each time",
            |ground| Box::pin(look_up_on_a_partitioned_topic(ground)),
        ),
    ]
}

/// How many messages are sent where one is not enough.
const COUNT: usize = 12;

struct Entity {
    topic: String,
    subscription: SubscriptionName,
}

/// A topic with a subscription and messages.
async fn entity(ground: &Ground, topic_xml: &str, xml: &str, count: usize) -> Result<Entity, String> {
    let messages = (1..=count).map(|number| sample::message(&format!("m{number}"), 8));
    entity_with(ground, topic_xml, xml, messages).await
}

async fn entity_with(
    ground: &Ground,
    topic_xml: &str,
    xml: &str,
    messages: impl Iterator<Item = OutgoingMessage>,
) -> Result<Entity, String> {
    let entity = Entity { topic: Ground::name("topic"), subscription: SubscriptionName::new("all") };
    let namespace = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect";
    let topic = format!(r#"<TopicDescription xmlns="{namespace}">{topic_xml}</TopicDescription>"#);
    let description = format!(r#"<SubscriptionDescription xmlns="{namespace}">{xml}</SubscriptionDescription>"#);
    let path = format!("{}/Subscriptions/all", entity.topic);
    for (path, xml) in [(&entity.topic, &topic), (&path, &description)] {
        let made = ground.administer(Method::PUT, path, xml).await?;
        if made.status != 201 {
            return Err(format!("{path} was answered with {}: {}", made.status, made.body));
        }
    }
    let mut client = Client::connect(&ground.connection_string()?).await.map_err(|error| error.to_string())?;
    client.send(&entity.topic, messages).await.map_err(|error| error.to_string())?;
    client.close().await;
    Ok(entity)
}

async fn forget(ground: &Ground, entity: &Entity) {
    // In the end, the whole namespace is deleted anyway.
    _ = ground.administer(Method::DELETE, &entity.topic, "").await;
}

async fn peek(
    ground: &Ground,
    entity: &Entity,
    token: Option<String>,
    from: i64,
) -> Result<Vec<PeekedMessage>, PeekError> {
    let peeking = ground.peeking(&entity.topic, token);
    let peeker = peeking.connect().await?;
    let page = peeker.peek(&entity.subscription, from, 100).await;
    peeker.close().await;
    peeking.close().await;
    page
}

async fn peek_in_order(ground: &Ground) -> Result<String, String> {
    let entity = entity(ground, "", "", 3).await?;
    let page = peek(ground, &entity, None, 0).await.map_err(|error| error.to_string())?;
    let numbers: Vec<_> = page.iter().map(|message| message.sequence_number).collect();
    let [_, second, last] = numbers[..] else { return Ok(format!("{numbers:?}")) };
    let rest = peek(ground, &entity, None, second).await.map_err(|error| error.to_string())?;
    let none = peek(ground, &entity, None, last + 1).await.map_err(|error| error.to_string())?;
    forget(ground, &entity).await;
    let is_so = numbers.is_sorted() && rest == page[1..] && none.is_empty();
    Ok(if is_so { "all in order, then from the second on, then none".to_owned() } else { format!("{page:?}") })
}

/// A message whose body has so many bytes.
fn large(bytes: usize) -> OutgoingMessage {
    sample::message("large", 8).body("x".repeat(bytes))
}

async fn peek_without_bodies(ground: &Ground) -> Result<String, String> {
    let entity = entity_with(ground, "", "", (0..COUNT).map(|_| large(200_000))).await?;
    let page = peek(ground, &entity, None, 0).await.map_err(|error| error.to_string())?;
    forget(ground, &entity).await;
    Ok(if page.len() == COUNT { "all on one page".to_owned() } else { format!("{} of {COUNT}", page.len()) })
}

async fn largest_message(ground: &Ground) -> Result<String, String> {
    let entity = entity_with(ground, "", "", [large(250_000)].into_iter()).await?;
    let mut client = Client::connect(&ground.connection_string()?).await.map_err(|error| error.to_string())?;
    let refused = client.send(&entity.topic, [large(270_000)]).await.is_err();
    client.close().await;
    forget(ground, &entity).await;
    let more = if refused { "are not" } else { "are too" };
    Ok(format!("250,000 bytes are accepted, 270,000 {more}"))
}

async fn token_of_a_topic(ground: &Ground) -> Result<String, String> {
    let entity = entity(ground, "", "", 1).await?;
    let page = peek(ground, &entity, Some(ground.signature(&entity.topic)?), 0).await;
    forget(ground, &entity).await;
    Ok(match page {
        Ok(page) if page.len() == 1 => "opens them".to_owned(),
        Ok(page) => format!("{} messages", page.len()),
        Err(error) => error.to_string(),
    })
}

fn outcome(page: Result<Vec<PeekedMessage>, PeekError>) -> String {
    match page {
        Ok(page) if page.is_empty() => "an empty page".to_owned(),
        Ok(_) => "messages".to_owned(),
        Err(PeekError::Misconfigured { .. }) => "refused".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn peek_of(ground: &Ground, xml: &str) -> Result<String, String> {
    // A disabled subscription accepts messages, and one with sessions only those that have one. Neither matters here.
    let entity = entity(ground, "", xml, 1).await?;
    let page = peek(ground, &entity, None, 0).await;
    forget(ground, &entity).await;
    Ok(outcome(page))
}

async fn peek_of_a_forwarding_subscription(ground: &Ground) -> Result<String, String> {
    let target = entity(ground, "", "", 0).await?;
    let entity = entity(ground, "", &format!("<ForwardTo>{}</ForwardTo>", target.topic), 1).await?;
    let page = peek(ground, &entity, None, 0).await;
    forget(ground, &entity).await;
    forget(ground, &target).await;
    Ok(outcome(page))
}

/// The subscription as Resource Manager lists it, on the ground's own topic.
async fn listed(ground: &Ground) -> Result<Value, String> {
    let list = ground.topic("/subscriptions").await?;
    let items = list.body["value"].as_array().cloned().unwrap_or_default();
    items.into_iter().find(|item| item["name"] == "listed").ok_or_else(|| format!("{} {}", list.code(), list.body))
}

async fn list_on(ground: &Ground) -> Result<(), String> {
    let namespace = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect";
    let description = format!(r#"<SubscriptionDescription xmlns="{namespace}"></SubscriptionDescription>"#);
    let path = format!("{}/Subscriptions/listed", ground.service_bus.topic);
    let made = ground.administer(Method::PUT, &path, &description).await?;
    // Two questions need it, and the second one finds it there.
    if matches!(made.status, 201 | 409) { Ok(()) } else { Err(format!("{} {}", made.status, made.body)) }
}

async fn list_of_subscriptions(ground: &Ground) -> Result<String, String> {
    list_on(ground).await?;
    let item = listed(ground).await?;
    let there = |name: &&str| !item["properties"][*name].is_null();
    Ok(["status", "requiresSession", "countDetails"].into_iter().filter(there).collect::<Vec<_>>().join(", "))
}

async fn counts_lag(ground: &Ground) -> Result<String, String> {
    list_on(ground).await?;
    let mut client = Client::connect(&ground.connection_string()?).await.map_err(|error| error.to_string())?;
    let sent = client.send(&ground.service_bus.topic, [sample::message("counted", 8)]).await;
    sent.map_err(|error| error.to_string())?;
    client.close().await;
    let deadline = Instant::now() + Duration::from_mins(5);
    let begun = Instant::now();
    while Instant::now() < deadline {
        if listed(ground).await?["properties"]["countDetails"]["activeMessageCount"].as_u64() == Some(1) {
            let took = begun.elapsed().as_secs();
            return Ok(if took <= 60 { "within a minute".to_owned() } else { format!("after {took} s") });
        }
        sleep(ground.interval).await;
    }
    Ok("not within five minutes".to_owned())
}

async fn partitioned(ground: &Ground) -> Result<Entity, String> {
    entity(ground, "<EnablePartitioning>true</EnablePartitioning>", "", COUNT).await
}

/// The messages of a partitioned topic, peeked until all have been seen.
async fn all_of(ground: &Ground, entity: &Entity) -> Result<Vec<i64>, String> {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let page = peek(ground, entity, None, 0).await.map_err(|error| error.to_string())?;
        seen.extend(page.iter().map(|message| message.sequence_number));
        if seen.len() == COUNT {
            break;
        }
    }
    Ok(seen.into_iter().collect())
}

async fn numbers_of_a_partitioned_topic(ground: &Ground) -> Result<String, String> {
    let entity = partitioned(ground).await?;
    let numbers = all_of(ground, &entity).await?;
    forget(ground, &entity).await;
    let is_above = numbers.iter().any(|number| partition_of(*number) > 0);
    Ok(if is_above { "an id above 0".to_owned() } else { format!("{numbers:?}") })
}

async fn look_up_on_a_partitioned_topic(ground: &Ground) -> Result<String, String> {
    let entity = partitioned(ground).await?;
    let numbers = all_of(ground, &entity).await?;
    let mut missed = Vec::new();
    for number in &numbers {
        let page = peek(ground, &entity, None, *number).await.map_err(|error| error.to_string())?;
        if !page.iter().any(|message| message.sequence_number == *number) {
            missed.push(*number);
        }
    }
    forget(ground, &entity).await;
    Ok(if missed.is_empty() { "the message first, each time".to_owned() } else { format!("{missed:?} are not found") })
}
