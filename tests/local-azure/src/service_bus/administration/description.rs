//! Topics, subscriptions and the namespace as elements of XML, in the order of the service's contract.

use roxmltree::Node;
use time::OffsetDateTime;

use super::atom::{INSTANCE, SERVICE_BUS, element, timestamp};
use super::duration;
use super::refusal::Refusal;
use crate::service_bus::broker::entity::path_of;
use crate::service_bus::broker::subscription::{SubQueue, Subscription};
use crate::service_bus::broker::{Partitioning, SubscriptionConfig, SubscriptionStatus, Topic, TopicConfig};

/// The namespace.
pub(super) fn namespace(name: &str) -> String {
    let at = timestamp(OffsetDateTime::UNIX_EPOCH);
    let properties = [("Alias", ""), ("CreatedTime", &at), ("MessagingSKU", "Standard"), ("ModifiedTime", &at)];
    let properties = elements(properties) + &elements([("Name", name), ("NamespaceType", "Messaging")]);
    described("NamespaceInfo", &properties)
}

/// A topic.
pub(super) fn topic(topic: &Topic) -> String {
    let at = timestamp(topic.created_at);
    let subscriptions = topic.subscriptions().count().to_string();
    let mut xml = elements([
        ("DefaultMessageTimeToLive", duration::format(topic.config.default_time_to_live).as_str()),
        ("MaxSizeInMegabytes", "1024"),
        ("RequiresDuplicateDetection", "false"),
        ("DuplicateDetectionHistoryTimeWindow", "PT10M"),
        ("EnableBatchedOperations", "true"),
        ("SizeInBytes", "0"),
        ("FilteringMessagesBeforePublishing", "false"),
        ("IsAnonymousAccessible", "false"),
    ]);
    xml += "<AuthorizationRules></AuthorizationRules>";
    xml += &elements([("Status", "Active"), ("CreatedAt", &at), ("UpdatedAt", &at), ("AccessedAt", &at)]);
    xml += &topic.config.user_metadata.as_deref().map_or_else(String::new, |text| element("UserMetadata", text));
    let partitioned = topic.config.partitioning.is_some();
    xml += &element("SupportOrdering", truth(!partitioned));
    xml += &counts([0, 0, topic.scheduled()]);
    xml += &elements([
        ("SubscriptionCount", subscriptions.as_str()),
        ("AutoDeleteOnIdle", &duration::format(None)),
        ("EnablePartitioning", truth(partitioned)),
        ("EntityAvailabilityStatus", "Available"),
        ("EnableSubscriptionPartitioning", "false"),
        ("EnableExpress", "false"),
    ]);
    described("TopicDescription", &xml)
}

/// Reads a topic.
pub(super) fn read_topic(name: &str, description: Node<'_, '_>) -> Result<TopicConfig, Refusal> {
    let mut config = TopicConfig::new(name);
    for (property, text) in properties(description) {
        match property {
            "DefaultMessageTimeToLive" => config.default_time_to_live = read_duration(property, text)?,
            "UserMetadata" => config.user_metadata = Some(text.to_owned()),
            "EnablePartitioning" => config.partitioning = read_truth(property, text)?.then(Partitioning::default),
            "RequiresDuplicateDetection" | "EnableExpress" => {
                refuse_unless(property, text, "false")?;
            }
            "Status" => refuse_unless(property, text, "Active")?,
            _ => {}
        }
    }
    Ok(config)
}

/// A subscription, of a namespace that the client knows by this host.
pub(super) fn subscription(subscription: &Subscription, host: &str) -> String {
    let config = &subscription.config;
    let [active, dead] = [SubQueue::Messages, SubQueue::DeadLetters].map(|queue| subscription.queue(queue).len());
    let at = timestamp(subscription.created_at);
    let mut xml = elements([
        ("LockDuration", duration::format(Some(config.lock_duration)).as_str()),
        ("RequiresSession", truth(config.requires_session)),
        ("DefaultMessageTimeToLive", &duration::format(config.default_time_to_live)),
        ("DeadLetteringOnMessageExpiration", truth(config.dead_letter_on_expiration)),
        ("DeadLetteringOnFilterEvaluationExceptions", "true"),
        ("MessageCount", &(active + dead).to_string()),
        ("MaxDeliveryCount", &config.max_delivery_count.to_string()),
        ("EnableBatchedOperations", "true"),
        ("Status", config.status.as_str()),
    ]);
    if let Some(topic) = &config.forward_to {
        xml += &element("ForwardTo", &format!("sb://{host}/{topic}"));
    }
    xml += &elements([("CreatedAt", at.as_str()), ("UpdatedAt", &at), ("AccessedAt", &at)]);
    xml += &config.user_metadata.as_deref().map_or_else(String::new, |text| element("UserMetadata", text));
    xml += &counts([active, dead, 0]);
    let for_ever = duration::format(None);
    xml += &elements([("AutoDeleteOnIdle", for_ever.as_str()), ("EntityAvailabilityStatus", "Available")]);
    described("SubscriptionDescription", &xml)
}

/// Reads a subscription, without its rules.
pub(super) fn read_subscription(name: &str, description: Node<'_, '_>) -> Result<SubscriptionConfig, Refusal> {
    let mut config = SubscriptionConfig::new(name);
    for (property, text) in properties(description) {
        match property {
            "LockDuration" => {
                config.lock_duration = read_duration(property, text)?.ok_or_else(|| invalid(property, text))?;
            }
            "RequiresSession" => config.requires_session = read_truth(property, text)?,
            "DefaultMessageTimeToLive" => config.default_time_to_live = read_duration(property, text)?,
            "DeadLetteringOnMessageExpiration" => config.dead_letter_on_expiration = read_truth(property, text)?,
            "MaxDeliveryCount" => config.max_delivery_count = text.parse().map_err(|_| invalid(property, text))?,
            "Status" => {
                let known =
                    [SubscriptionStatus::Active, SubscriptionStatus::Disabled, SubscriptionStatus::ReceiveDisabled];
                let found = known.into_iter().find(|status| status.as_str() == text);
                config.status = found.ok_or_else(|| invalid(property, text))?;
            }
            "UserMetadata" => config.user_metadata = Some(text.to_owned()),
            "ForwardTo" => config.forward_to = Some(path_of(text).to_owned()).filter(|topic| !topic.is_empty()),
            "ForwardDeadLetteredMessagesTo" => refuse_unless(property, text, "")?,
            _ => {}
        }
    }
    Ok(config)
}

/// A description with its namespaces.
pub(super) fn described(name: &str, content: &str) -> String {
    format!("<{name} xmlns=\"{SERVICE_BUS}\" xmlns:i=\"{INSTANCE}\">{content}</{name}>")
}

/// The children of an element that have text, by name.
pub(super) fn properties<'a>(node: Node<'a, '_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    node.children().filter(Node::is_element).map(|child| (child.tag_name().name(), child.text().unwrap_or_default()))
}

fn elements<const N: usize>(properties: [(&str, &str); N]) -> String {
    properties.iter().map(|(name, text)| element(name, text)).collect()
}

fn counts([active, dead, scheduled]: [usize; 3]) -> String {
    const DETAILS: &str = "http://schemas.microsoft.com/netservices/2011/06/servicebus";
    let details = elements([
        ("d2p1:ActiveMessageCount", active.to_string().as_str()),
        ("d2p1:DeadLetterMessageCount", &dead.to_string()),
        ("d2p1:ScheduledMessageCount", &scheduled.to_string()),
        ("d2p1:TransferMessageCount", "0"),
        ("d2p1:TransferDeadLetterMessageCount", "0"),
    ]);
    format!("<CountDetails xmlns:d2p1=\"{DETAILS}\">{details}</CountDetails>")
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn read_truth(property: &str, text: &str) -> Result<bool, Refusal> {
    text.to_lowercase().parse().map_err(|_| invalid(property, text))
}

fn read_duration(property: &str, text: &str) -> Result<Option<time::Duration>, Refusal> {
    duration::parse(text).map_err(|_| invalid(property, text))
}

fn refuse_unless(property: &str, text: &str, only: &str) -> Result<(), Refusal> {
    if text.eq_ignore_ascii_case(only) {
        return Ok(());
    }
    Err(Refusal::invalid(format!("The local Service Bus does not have {property} '{text}'.")))
}

fn invalid(property: &str, text: &str) -> Refusal {
    Refusal::invalid(format!("The value '{text}' of {property} is invalid."))
}
