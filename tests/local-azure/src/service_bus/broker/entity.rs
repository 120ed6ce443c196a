//! The addresses in a namespace, for links and tokens.

use super::subscription::SubQueue;

/// The target of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Claims-based security: tokens are put here.
    Cbs,
    /// Requests about an entity.
    Management(Entity),
    /// The entity's messages.
    Messages(Entity),
}

/// Something that messages are sent to or received from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    Topic(String),
    Subscription(SubscriptionPath),
}

/// One of a subscription's queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionPath {
    pub(crate) topic: String,
    pub(crate) name: String,
    pub(crate) queue: SubQueue,
}

impl Node {
    /// Reads an address, which may be a path or a URL.
    pub(crate) fn parse(address: &str) -> Self {
        let path = path_of(address);
        if path.eq_ignore_ascii_case("$cbs") {
            return Self::Cbs;
        }
        match strip_suffix(path, "/$management") {
            Some(entity) => Self::Management(Entity::parse(entity)),
            None => Self::Messages(Entity::parse(path)),
        }
    }

    /// The entity, unless it is the namespace itself.
    pub(crate) fn entity(&self) -> Option<&Entity> {
        match self {
            Self::Cbs => None,
            Self::Management(entity) | Self::Messages(entity) => Some(entity),
        }
    }
}

impl Entity {
    fn parse(path: &str) -> Self {
        let (path, queue) = match strip_suffix(path, "/$deadletterqueue") {
            Some(path) => (path, SubQueue::DeadLetters),
            None => (path, SubQueue::Messages),
        };
        let segments: Vec<&str> = path.split('/').collect();
        match segments[..] {
            // A topic's name may have slashes in it.
            [ref topic @ .., keyword, name] if !topic.is_empty() && keyword.eq_ignore_ascii_case("subscriptions") => {
                Self::Subscription(SubscriptionPath { topic: topic.join("/"), name: name.to_owned(), queue })
            }
            _ => Self::Topic(path.to_owned()),
        }
    }

    /// The name of its topic.
    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::Topic(topic) | Self::Subscription(SubscriptionPath { topic, .. }) => topic,
        }
    }

    /// The path without its sub-queue, in the service's own spelling.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Topic(topic) => topic.clone(),
            Self::Subscription(SubscriptionPath { topic, name, .. }) => format!("{topic}/Subscriptions/{name}"),
        }
    }
}

/// The path of an address: Python's SDK writes links as `amqps://host:port/path`, tokens are for `sb://host/path`.
pub(crate) fn path_of(address: &str) -> &str {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    path.trim_matches('/')
}

fn strip_suffix<'a>(path: &'a str, lower_case_suffix: &str) -> Option<&'a str> {
    let (stem, suffix) = path.split_at_checked(path.len().checked_sub(lower_case_suffix.len())?)?;
    suffix.eq_ignore_ascii_case(lower_case_suffix).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(queue: SubQueue) -> Entity {
        Entity::Subscription(SubscriptionPath { topic: "files".to_owned(), name: "Small".to_owned(), queue })
    }

    #[test]
    fn every_form_of_address_that_the_sdks_write_is_understood() {
        assert_eq!(Node::parse("$cbs"), Node::Cbs);
        assert_eq!(Node::parse("amqps://127.0.0.1:5711/files"), Node::Messages(Entity::Topic("files".to_owned())));
        for address in ["files/Subscriptions/Small/$management", "sb://host/files/subscriptions/Small/$Management"] {
            assert_eq!(Node::parse(address), Node::Management(subscription(SubQueue::Messages)), "{address}");
        }
        assert_eq!(
            Node::parse("/files/Subscriptions/Small/$DeadLetterQueue/$management"),
            Node::Management(subscription(SubQueue::DeadLetters))
        );
        assert_eq!(
            Node::parse("files/SUBSCRIPTIONS/Small/$DeadLetterQueue"),
            Node::Messages(subscription(SubQueue::DeadLetters))
        );
        for (address, topic) in [("teams/files/Subscriptions/Small", "teams/files"), ("teams/files", "teams/files")] {
            assert_eq!(Node::parse(address).entity().unwrap().topic(), topic);
        }
    }
}
