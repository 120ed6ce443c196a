//! The resource that the path of a request names.

use percent_encoding::percent_decode_str;

/// Something that can be administered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Namespace,
    Topics,
    /// The local Service Bus has none.
    Queues,
    Topic(String),
    Subscriptions {
        topic: String,
    },
    Subscription {
        topic: String,
        name: String,
    },
    Rules {
        topic: String,
        subscription: String,
    },
    Rule {
        topic: String,
        subscription: String,
        name: String,
    },
}

impl Target {
    /// Reads a path. Fixed segments are the same in any case; names of topics may have slashes in them.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = percent_decode_str(path.trim_matches('/')).decode_utf8_lossy();
        let segments: Vec<&str> = path.split('/').collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
        match lower.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["$namespaceinfo"] => return Some(Self::Namespace),
            ["$resources", "topics"] => return Some(Self::Topics),
            ["$resources", "queues"] => return Some(Self::Queues),
            [first, ..] if first.starts_with('$') => return None,
            _ => {}
        }
        let Some(end) = lower.iter().position(|segment| segment == "subscriptions").filter(|end| *end > 0) else {
            return Some(Self::Topic(path.into_owned()));
        };
        let topic = segments[..end].join("/");
        let rules = lower.get(end + 2).is_some_and(|segment| segment == "rules");
        Some(match segments[end + 1..] {
            [] => Self::Subscriptions { topic },
            [name] => Self::Subscription { topic, name: name.to_owned() },
            [subscription, _] if rules => Self::Rules { topic, subscription: subscription.to_owned() },
            [subscription, _, name] if rules => {
                Self::Rule { topic, subscription: subscription.to_owned(), name: name.to_owned() }
            }
            _ => return None,
        })
    }

    /// The path in the service's spelling, from which clients read the names.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Namespace => "$namespaceinfo".to_owned(),
            Self::Topics => "$Resources/Topics".to_owned(),
            Self::Queues => "$Resources/Queues".to_owned(),
            Self::Topic(topic) => topic.clone(),
            Self::Subscriptions { topic } => format!("{topic}/Subscriptions"),
            Self::Subscription { topic, name } => format!("{topic}/Subscriptions/{name}"),
            Self::Rules { topic, subscription } => format!("{topic}/Subscriptions/{subscription}/Rules"),
            Self::Rule { topic, subscription, name } => format!("{topic}/Subscriptions/{subscription}/Rules/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_what_they_name_in_any_case() {
        for path in ["$namespaceinfo", "$Resources/Topics", "a/b", "a/b/Subscriptions", "t/Subscriptions/s/Rules/r"] {
            assert_eq!(Target::parse(&format!("/{path}")).map(|target| target.path()).as_deref(), Some(path));
        }
        let rules = Target::Rules { topic: "T".to_owned(), subscription: "S 1".to_owned() };
        assert_eq!(Target::parse("/T/SUBSCRIPTIONS/S%201/rules"), Some(rules));
        for path in ["/", "/$other", "/t/subscriptions/s/other", "/t//subscriptions", "/t/subscriptions/s/rules/r/x"] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }
}
