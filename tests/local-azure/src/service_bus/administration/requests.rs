//! Handles requests.

use axum::http::Method;
use roxmltree::{Document as Xml, Node};
use time::OffsetDateTime;

use super::atom::{Document, Entry, Site};
use super::refusal::Refusal;
use super::target::Target;
use super::{description, rule};
use crate::service_bus::Shared;
use crate::service_bus::broker::subscription::Subscription;
use crate::service_bus::broker::{Broker, Rule, Topic};

/// The longest name of a topic, in bytes (Azure's page on quotas of Service Bus).
const MAX_TOPIC_NAME: usize = 260;
/// The longest name of a subscription or rule, in bytes (the same page).
const MAX_NAME: usize = 50;

/// A request with a valid token.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    pub(super) body: &'a str,
    /// Whether a PUT changes something that exists (`If-Match`), or creates it.
    pub(super) changes: bool,
    pub(super) site: Site<'a>,
    pub(super) now: OffsetDateTime,
}

impl Request<'_> {
    pub(super) fn answer(&self, target: &Target, shared: &Shared) -> Result<Document, Refusal> {
        let mut broker = shared.broker();
        match *self.method {
            Method::GET => self.get(target, &mut broker, &shared.config.namespace),
            Method::PUT => {
                let (change, target) = (self.changes, target.clone());
                self.put(&target, &mut broker)?;
                let document = self.get(&target, &mut broker, &shared.config.namespace)?;
                Ok(if change { document } else { document.created() })
            }
            Method::DELETE => {
                match target {
                    Target::Topic(topic) => broker.delete_topic(topic)?,
                    Target::Subscription { topic, name } => broker.delete_subscription(topic, name)?,
                    Target::Rule { topic, subscription, name } => {
                        broker.subscription(topic, subscription)?.remove_rule(name)?;
                    }
                    _ => return Err(Refusal::no_such_method()),
                }
                Ok(Document::empty())
            }
            _ => Err(Refusal::no_such_method()),
        }
    }

    fn get(&self, target: &Target, broker: &mut Broker, namespace: &str) -> Result<Document, Refusal> {
        let site = &self.site;
        Ok(match target {
            Target::Namespace => site.entry(&Entry {
                target: target.clone(),
                title: namespace.to_owned(),
                created_at: OffsetDateTime::UNIX_EPOCH,
                description: description::namespace(namespace),
            }),
            Target::Queues => site.feed(target, std::iter::empty()),
            Target::Topics => site.feed(target, broker.topics().map(topic_entry)),
            // The service answers with an empty list for a topic that does not exist.
            Target::Topic(name) => match broker.topic(name) {
                Ok(topic) => site.entry(&topic_entry(topic)),
                Err(_) => site.feed(target, std::iter::empty()),
            },
            Target::Subscriptions { topic } => {
                let topic = broker.topic(topic)?;
                site.feed(
                    target,
                    topic.subscriptions().map(|subscription| subscription_entry(topic, subscription, site.host)),
                )
            }
            Target::Subscription { topic, name } => {
                broker.subscription(topic, name)?;
                let topic = broker.topic(topic)?;
                let found = topic.subscriptions().find(|found| found.config.name.eq_ignore_ascii_case(name));
                let found = found.ok_or_else(|| Refusal::no_entity(name))?;
                site.entry(&subscription_entry(topic, found, site.host))
            }
            Target::Rules { topic, subscription } => {
                let found = broker.subscription(topic, subscription)?;
                let names = (topic.as_str(), &*found);
                site.feed(target, found.config.rules.iter().map(|rule| rule_entry(names, rule)))
            }
            Target::Rule { topic, subscription, name } => {
                let found = broker.subscription(topic, subscription)?;
                site.entry(&rule_entry((topic, found), found.rule(name)?))
            }
        })
    }

    fn put(&self, target: &Target, broker: &mut Broker) -> Result<(), Refusal> {
        let xml = Xml::parse(self.body).map_err(|error| Refusal::invalid(format!("The body is not XML: {error}.")))?;
        let description = |name: &str| {
            let found = xml.descendants().find(|node| node.tag_name().name() == name);
            found.ok_or_else(|| Refusal::invalid(format!("The body has no {name}.")))
        };
        match target {
            Target::Topic(name) => {
                check_length(name, MAX_TOPIC_NAME)?;
                let mut config = description::read_topic(name, description("TopicDescription")?)?;
                if self.changes {
                    let topic = broker.topic_mut(name)?;
                    // XML cannot say how it is partitioned, and that cannot be changed.
                    config.partitioning = topic.config.partitioning.take();
                    topic.config = config;
                } else {
                    broker.create_topic(config, self.now)?;
                }
            }
            Target::Subscription { topic, name } => {
                check_length(name, MAX_NAME)?;
                self.put_subscription((topic, name), description("SubscriptionDescription")?, broker)?;
            }
            Target::Rule { topic, subscription, name } => {
                check_length(name, MAX_NAME)?;
                let rule = rule::read_rule(name, description("RuleDescription")?)?;
                let subscription = broker.subscription(topic, subscription)?;
                if self.changes { subscription.replace_rule(rule) } else { subscription.add_rule(rule) }?;
            }
            _ => return Err(Refusal::no_such_method()),
        }
        Ok(())
    }

    fn put_subscription(
        &self,
        (topic, name): (&str, &str),
        description: Node<'_, '_>,
        broker: &mut Broker,
    ) -> Result<(), Refusal> {
        let mut config = description::read_subscription(name, description)?;
        if self.changes {
            let subscription = broker.subscription(topic, name)?;
            config.rules = std::mem::take(&mut subscription.config.rules);
            subscription.config = config;
            return Ok(());
        }
        let first = description.children().find(|child| child.tag_name().name() == "DefaultRuleDescription");
        if let Some(first) = first {
            let named = description::properties(first).find(|(property, _)| *property == "Name");
            let name = named.map(|(_, name)| name).filter(|name| !name.is_empty()).unwrap_or("$Default");
            config.rules = vec![rule::read_rule(name, first)?];
        }
        Ok(broker.create_subscription(topic, config, self.now)?)
    }
}

fn check_length(name: &str, max: usize) -> Result<(), Refusal> {
    if name.len() <= max {
        return Ok(());
    }
    Err(Refusal::invalid(format!("The name '{name}' is longer than {max} characters.")))
}

fn topic_entry(topic: &Topic) -> Entry {
    Entry {
        target: Target::Topic(topic.config.name.clone()),
        title: topic.config.name.clone(),
        created_at: topic.created_at,
        description: description::topic(topic),
    }
}

fn subscription_entry(topic: &Topic, subscription: &Subscription, host: &str) -> Entry {
    let name = subscription.config.name.clone();
    Entry {
        target: Target::Subscription { topic: topic.config.name.clone(), name: name.clone() },
        title: name,
        created_at: subscription.created_at,
        description: description::subscription(subscription, host),
    }
}

fn rule_entry((topic, subscription): (&str, &Subscription), rule: &Rule) -> Entry {
    Entry {
        target: Target::Rule {
            topic: topic.to_owned(),
            subscription: subscription.config.name.clone(),
            name: rule.name.clone(),
        },
        title: rule.name.clone(),
        created_at: subscription.created_at,
        description: rule::rule(rule, subscription.created_at),
    }
}
