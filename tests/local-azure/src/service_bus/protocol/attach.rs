//! Attaching links: what a client may attach to, and how it is refused.

use std::collections::VecDeque;

use fe2o3_amqp_types::definitions::{Error, Role, SenderSettleMode};
use fe2o3_amqp_types::messaging::TargetArchetype;
use fe2o3_amqp_types::performatives::{Attach, Detach};

use super::frame::error;
use super::management::disabled;
use super::session::{Action, Context, Dropped, Link, LinkKind, MAX_LINKS, Session};
use crate::clock;
use crate::service_bus::broker::entity::{Entity, Node, SubscriptionPath};
use crate::service_bus::broker::subscription::SubQueue;
use crate::service_bus::faults::{DetachSoon, Effect};
use crate::service_bus::{Call, Direction, Operation, SubscriptionStatus};

/// The largest message on a link, in bytes: the standard tier's, from which SDKs compute the size of a batch.
pub(super) const MAX_MESSAGE_SIZE: u64 = 262_144;

impl Session {
    /// Attaches a link as the client asks, unless a fault prevents it.
    pub(super) fn on_attach(&mut self, attach: Attach, context: &Context) -> Result<(), Dropped> {
        let node = Node::parse(address(&attach).unwrap_or_default());
        let Some(entity) = node.entity() else {
            self.attach(attach, context);
            return Ok(());
        };
        let suffix = if matches!(node, Node::Management(_)) { "/$management" } else { "" };
        let direction = if attach.role == Role::Sender { Direction::ToService } else { Direction::FromService };
        context.shared.calls.record(Call::Attach { address: format!("{}{suffix}", full_path(entity)), direction });

        let effects = context.shared.faults.happen(Operation::Attach, Some(entity));
        if context.breaks_off(&effects)? || effects.contains(&Effect::Hang) {
            return Ok(());
        }
        if let Some((_, condition, description)) = effects.refusal() {
            self.refuse(attach, error(condition, description), context);
        } else if let Some(delay) = effects.delay() {
            self.put_off(delay, Action::Attach(Box::new(attach), effects.detach_soon()), context);
        } else {
            self.attach_for_now(attach, effects.detach_soon(), context);
        }
        Ok(())
    }

    /// Attaches a link as the client asks, and detaches it soon after if a fault says so.
    pub(super) fn attach_for_now(&mut self, attach: Attach, detach: Option<DetachSoon>, context: &Context) {
        let handle = attach.handle.0;
        self.attach(attach, context);
        let Some(DetachSoon { after, condition, description }) = detach else { return };
        let action = Action::Detach { handle, error: Box::new(error(&condition, description)) };
        if after.is_zero() { self.act(action, context) } else { self.put_off(after, action, context) }
    }

    /// Attaches a link as the client asks, or refuses it.
    pub(super) fn attach(&mut self, attach: Attach, context: &Context) {
        if self.links.len() >= MAX_LINKS as usize {
            let description = format!(
                "Cannot allocate more handles to the current session. The maximum number of handles allowed is {MAX_LINKS}."
            );
            return self.end(error("amqp:resource-limit-exceeded", description), context);
        }
        let kind = match admit(&attach, context) {
            Ok(kind) => kind,
            Err(error) => return self.refuse(attach, error, context),
        };
        let handle = attach.handle.0;
        let unlimited = matches!(kind, LinkKind::Requests(_) | LinkKind::Replies { .. });
        let link = Link::new(attach.name.clone(), kind, attach.initial_delivery_count.unwrap_or(0));
        let answer = Attach {
            role: other(&attach.role),
            unsettled: None,
            incomplete_unsettled: false,
            initial_delivery_count: link.sends().then_some(link.delivery_count),
            max_message_size: Some(if unlimited { u64::MAX } else { MAX_MESSAGE_SIZE }),
            offered_capabilities: None,
            desired_capabilities: None,
            ..attach
        };
        context.send(self.channel, &answer);
        let takes_messages = !link.sends();
        self.has_had_consumers |= matches!(link.kind, LinkKind::Consumer { .. });
        self.links.insert(handle, link);
        if takes_messages {
            self.top_up(handle, context);
        }
    }

    /// The service's way to refuse: an attach that leads nowhere, and a detach that says why.
    fn refuse(&self, attach: Attach, error: Error, context: &Context) {
        let handle = attach.handle.clone();
        let answer = Attach {
            role: other(&attach.role),
            source: None,
            target: None,
            unsettled: None,
            initial_delivery_count: (attach.role == Role::Receiver).then_some(0),
            ..attach
        };
        context.send(self.channel, &answer);
        context.send(self.channel, &Detach { handle, closed: true, error: Some(error) });
    }
}

/// Decides what a link is for, or why there is none.
fn admit(attach: &Attach, context: &Context) -> Result<LinkKind, Error> {
    let address = address(attach).unwrap_or_default();
    let node = Node::parse(address);
    if let Some(entity) = node.entity() {
        authorize(entity, context)?;
        exists(entity, context)?;
    }
    match (node, &attach.role) {
        (Node::Messages(Entity::Topic(topic)), Role::Sender) => Ok(LinkKind::Publisher { topic }),
        (Node::Messages(Entity::Subscription(path)), Role::Receiver) => {
            can_receive(&path, attach, context)?;
            let settled = attach.snd_settle_mode == SenderSettleMode::Settled;
            Ok(LinkKind::Consumer { path, settled })
        }
        (Node::Messages(entity), _) => {
            let description = format!("A link in this direction is not possible on '{}'.", entity.path());
            Err(error("amqp:not-allowed", description))
        }
        (node, Role::Sender) => Ok(LinkKind::Requests(node)),
        (node, Role::Receiver) => {
            Ok(LinkKind::Replies { node, reply_to: target(attach).map(str::to_owned), waiting: VecDeque::new() })
        }
    }
}

fn authorize(entity: &Entity, context: &Context) -> Result<(), Error> {
    if context.tokens.allow(entity, &context.shared.config, clock::now()) {
        return Ok(());
    }
    let description = format!(
        "Unauthorized access. 'Listen' or 'Send' claim(s) are required to perform this operation. Resource: 'sb://{}/{}'.",
        context.shared.config.namespace,
        entity.path()
    );
    Err(error("amqp:unauthorized-access", description))
}

fn exists(entity: &Entity, context: &Context) -> Result<(), Error> {
    let mut broker = context.shared.broker();
    let found = match entity {
        Entity::Topic(topic) => broker.has_topic(topic),
        Entity::Subscription(path) => broker.subscription(&path.topic, &path.name).is_ok(),
    };
    if found {
        return Ok(());
    }
    let namespace = &context.shared.config.namespace;
    let description = format!("The messaging entity 'sb://{namespace}/{}' could not be found.", entity.path());
    Err(error("amqp:not-found", description))
}

fn can_receive(path: &SubscriptionPath, attach: &Attach, context: &Context) -> Result<(), Error> {
    let mut broker = context.shared.broker();
    let Ok(subscription) = broker.subscription(&path.topic, &path.name) else { return Ok(()) };
    if matches!(subscription.config.status, SubscriptionStatus::Disabled | SubscriptionStatus::ReceiveDisabled) {
        return Err(error("com.microsoft:entity-disabled", disabled(path)));
    }
    if subscription.config.forward_to.is_some() && path.queue == SubQueue::Messages {
        let description = "Cannot create a message receiver on an entity with auto-forwarding enabled.";
        return Err(error("amqp:not-allowed", description));
    }
    let filters = attach.source.as_ref().and_then(|source| source.filter.as_ref());
    let by_session = filters.is_some_and(|filters| filters.contains_key("com.microsoft:session-filter"));
    match (subscription.config.requires_session, by_session) {
        (true, false) => Err(error(
            "amqp:not-allowed",
            "It is not possible for an entity that requires sessions to create a non-sessionful message receiver.",
        )),
        (true, true) => Err(error("amqp:not-implemented", "The local Service Bus has no message sessions.")),
        (false, true) => {
            let description =
                "A sessionful message receiver cannot be created on an entity that does not require sessions.";
            Err(error("amqp:not-allowed", description))
        }
        (false, false) => Ok(()),
    }
}

/// The address of the service's end.
fn address(attach: &Attach) -> Option<&str> {
    match attach.role {
        Role::Sender => target(attach),
        Role::Receiver => attach.source.as_ref()?.address.as_deref(),
    }
}

fn target(attach: &Attach) -> Option<&str> {
    let TargetArchetype::Target(target) = attach.target.as_deref()?;
    target.address.as_deref()
}

fn full_path(entity: &Entity) -> String {
    match entity {
        Entity::Subscription(SubscriptionPath { queue: SubQueue::DeadLetters, .. }) => {
            format!("{}/$DeadLetterQueue", entity.path())
        }
        _ => entity.path(),
    }
}

/// The role of the end that the service has when the client has the other.
fn other(role: &Role) -> Role {
    match role {
        Role::Sender => Role::Receiver,
        Role::Receiver => Role::Sender,
    }
}
