//! Messages on links: what clients send, what they receive, and how they settle it.

use fe2o3_amqp_types::definitions::Role;
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState, Rejected};
use fe2o3_amqp_types::performatives::{Disposition, Transfer};
use serde_amqp::Value;
use time::OffsetDateTime;

use super::attach::MAX_MESSAGE_SIZE;
use super::frame::{self, ReceiverDisposition, error};
use super::management::{self, LOCK_LOST};
use super::request::{Request, Spelling};
use super::session::{Action, CREDIT, Context, Dropped, Later, LinkKind, Partial, Session, Unsettled};
use crate::clock;
use crate::service_bus::broker::entity::{Entity, Node, SubscriptionPath};
use crate::service_bus::broker::message::{MalformedMessage, Message};
use crate::service_bus::faults::{Effect, Effects};
use crate::service_bus::sections::{self, code, encode};
use crate::service_bus::{Call, Operation, Settlement};

/// The message format of a batch: every data section is an encoded message.
const BATCH_FORMAT: u32 = 0x8001_3700;

impl Session {
    /// Takes a part of a message in.
    pub(super) fn on_transfer(
        &mut self,
        transfer: Transfer,
        payload: &[u8],
        context: &mut Context,
    ) -> Result<(), Dropped> {
        self.count_transfer(context);
        let handle = transfer.handle.0;
        let Some(link) = self.links.get_mut(&handle).filter(|link| !link.sends()) else { return Ok(()) };
        let partial = link.partial.get_or_insert_with(|| Partial {
            delivery_id: transfer.delivery_id.unwrap_or_default(),
            format: transfer.message_format.unwrap_or_default(),
            settled: false,
            bytes: Vec::new(),
        });
        partial.settled |= transfer.settled == Some(true);
        partial.bytes.extend_from_slice(payload);
        if partial.bytes.len() as u64 > MAX_MESSAGE_SIZE {
            let description = format!("The message is larger than {MAX_MESSAGE_SIZE} bytes.");
            self.detach(handle, error("amqp:link:message-size-exceeded", description), context);
            return Ok(());
        }
        if transfer.more && !transfer.aborted {
            return Ok(());
        }
        let Some(message) = link.partial.take() else { return Ok(()) };
        link.delivery_count = link.delivery_count.wrapping_add(1);
        link.credit = link.credit.saturating_sub(1);
        let top_up = link.credit <= CREDIT / 2;
        if !transfer.aborted {
            self.on_message(handle, &message, context)?;
        }
        if top_up {
            self.top_up(handle, context);
        }
        Ok(())
    }

    fn on_message(&mut self, handle: u32, message: &Partial, context: &mut Context) -> Result<(), Dropped> {
        match self.links.get(&handle).map(|link| &link.kind) {
            Some(LinkKind::Publisher { topic }) => {
                let topic = topic.clone();
                self.on_sent(handle, &topic, message, context)
            }
            Some(LinkKind::Requests(node)) => {
                let node = node.clone();
                self.on_request(node, message, context)
            }
            _ => Ok(()),
        }
    }

    fn on_sent(&mut self, handle: u32, topic: &str, message: &Partial, context: &Context) -> Result<(), Dropped> {
        let effects = context.shared.faults.happen(Operation::Send, None);
        if effects.contains(&Effect::DropConnection) {
            return Err(Dropped);
        }
        if let Some((condition, description)) = effects.forced_detach() {
            self.detach(handle, error(condition, description), context);
            return Ok(());
        }
        let refusal = effects.refusal().map(|(_, condition, description)| error(condition, description));
        let refusal = refusal.or_else(|| publish(topic, message, context).err());
        if message.settled || effects.contains(&Effect::Hang) {
            return Ok(());
        }
        match (refusal, effects.delay()) {
            (Some(refusal), _) => {
                let state = DeliveryState::Rejected(Rejected { error: Some(refusal) });
                self.acknowledge(message.delivery_id, state, context);
            }
            (None, Some(delay)) => {
                self.put_off(delay, Action::Acknowledge { delivery_id: message.delivery_id }, context);
            }
            (None, None) => self.accept(message.delivery_id, context),
        }
        Ok(())
    }

    /// Answers a request to `$cbs` or `$management`.
    fn on_request(&mut self, node: Node, message: &Partial, context: &mut Context) -> Result<(), Dropped> {
        let Some(request) = Request::decode(&message.bytes) else {
            let refusal = error("amqp:decode-error", "The request is not an AMQP message.");
            let state = DeliveryState::Rejected(Rejected { error: Some(refusal) });
            self.acknowledge(message.delivery_id, state, context);
            return Ok(());
        };
        if !message.settled {
            self.accept(message.delivery_id, context);
        }
        let (reply, effects, spelling) = answer(&node, &request, context);
        if effects.contains(&Effect::DropConnection) {
            return Err(Dropped);
        }
        if effects.contains(&Effect::Hang) {
            return Ok(());
        }
        if let Some((condition, description)) = effects.forced_detach() {
            if let Some(handle) = self.reply_link(&node, request.reply_to.as_deref()) {
                self.detach(handle, error(condition, description), context);
            }
            return Ok(());
        }
        let stranger = Value::from("nobody asked for this");
        let correlation_id =
            if effects.contains(&Effect::WrongCorrelationId) { &stranger } else { &request.message_id };
        let mut message = reply.encode(correlation_id, spelling);
        if effects.contains(&Effect::UndecodableReply) {
            // A described list that says it is longer than what follows.
            message = vec![0x00, 0x53, 0x73, 0xc0, 0x20, 0x05, 0xa1];
        }
        let reply = Action::Reply { node, reply_to: request.reply_to, message };
        match effects.delay() {
            Some(delay) => self.put_off(delay, reply, context),
            None => self.act(reply, context),
        }
        Ok(())
    }

    /// Does what was put off, or what need not be.
    pub(super) fn act(&mut self, action: Action, context: &Context) {
        match action {
            Action::Attach(attach) => self.attach(*attach, context),
            Action::Acknowledge { delivery_id } => self.accept(delivery_id, context),
            Action::Reply { node, reply_to, message } => {
                let handle = self.reply_link(&node, reply_to.as_deref());
                if let Some(link) = handle.and_then(|handle| self.links.get_mut(&handle))
                    && let LinkKind::Replies { waiting, .. } = &mut link.kind
                {
                    waiting.push_back(message);
                }
                self.deliver(context);
            }
        }
    }

    /// The link for a reply: the one whose target or else whose name the request gave as its reply-to, since the SDKs
    /// do either; else the node's newest, since Python's SDK gives none to `$cbs`.
    fn reply_link(&self, node: &Node, reply_to: Option<&str>) -> Option<u32> {
        let links = self.links.iter().filter_map(|(handle, link)| match &link.kind {
            LinkKind::Replies { node: of, reply_to: target, .. } if of == node => Some((*handle, link, target)),
            _ => None,
        });
        let score = |link: &(u32, &super::session::Link, &Option<String>)| match reply_to {
            Some(reply_to) if link.2.as_deref() == Some(reply_to) => 2,
            Some(reply_to) if link.1.name == reply_to => 1,
            _ => 0,
        };
        links.max_by_key(|link| (score(link), link.0)).map(|(handle, ..)| handle)
    }

    /// Sends what there is on every link whose receiving end gives credit.
    pub(super) fn deliver(&mut self, context: &Context) {
        self.flush(context);
        let handles: Vec<u32> = self.links.iter().filter(|(_, link)| link.sends()).map(|(handle, _)| *handle).collect();
        for handle in handles {
            // What is on its way must be gone before anything else is locked.
            while self.is_idle() && self.deliver_one(handle, context) {}
            if self.is_idle() {
                self.finish_drain(handle, context);
            }
        }
    }

    /// Sends one message on a link. False if there is none, or no credit.
    fn deliver_one(&mut self, handle: u32, context: &Context) -> bool {
        let Some(link) = self.links.get_mut(&handle).filter(|link| link.credit > 0) else { return false };
        let tag = link.delivery_count.to_be_bytes().to_vec();
        let (message, tag, held) = match &mut link.kind {
            LinkKind::Replies { waiting, .. } => match waiting.pop_front() {
                Some(message) => (message, tag, None),
                None => return false,
            },
            LinkKind::Consumer { path, settled } => match take(path, *settled, context) {
                // The service's delivery tags are lock tokens, in the byte order of .NET.
                Some((message, Some(held))) => (message, held.lock_token.to_bytes_le().to_vec(), Some(held)),
                Some((message, None)) => (message, tag, None),
                None => return false,
            },
            _ => return false,
        };
        link.credit -= 1;
        link.delivery_count = link.delivery_count.wrapping_add(1);
        let delivery_id = self.transfer(handle, tag, held.is_none(), &message, context);
        if let Some(held) = held {
            self.unsettled.insert(delivery_id, held);
        }
        true
    }

    /// Gives unused credit back to a client that asked for it.
    fn finish_drain(&mut self, handle: u32, context: &Context) {
        let Some(link) = self.links.get_mut(&handle).filter(|link| link.drain) else { return };
        link.delivery_count = link.delivery_count.wrapping_add(link.credit);
        link.credit = 0;
        self.send_flow(Some(handle), context);
        if let Some(link) = self.links.get_mut(&handle) {
            link.drain = false;
        }
    }

    /// Settles messages as the client wants.
    pub(super) fn on_disposition(&mut self, disposition: &ReceiverDisposition, context: &Context) {
        let Some(outcome) = &disposition.outcome else { return };
        let held = self.unsettled.range(disposition.first..=disposition.last.max(disposition.first));
        for delivery_id in held.map(|(delivery_id, _)| *delivery_id).collect::<Vec<_>>() {
            let Some(Unsettled { path, lock_token }) = self.unsettled.remove(&delivery_id) else { continue };
            let settled = match context.shared.broker().subscription(&path.topic, &path.name) {
                Ok(subscription) => subscription.settle(path.queue, lock_token, outcome, clock::now()).is_ok(),
                Err(_) => false,
            };
            let settlement = if settled { Settlement::from(outcome) } else { Settlement::LockLost };
            let entity = Entity::Subscription(path).path();
            context.shared.calls.record(Call::Settle { entity, settlement });
            if !disposition.settled {
                let echo = if settled { disposition.echo.clone() } else { lock_lost() };
                self.settle(delivery_id, echo, context);
            }
        }
        context.shared.available.send_replace(());
    }

    fn accept(&self, delivery_id: u32, context: &Context) {
        self.acknowledge(delivery_id, DeliveryState::Accepted(Accepted {}), context);
    }

    /// Tells a sending client what has become of its message.
    fn acknowledge(&self, delivery_id: u32, state: DeliveryState, context: &Context) {
        let disposition = Disposition {
            role: Role::Receiver,
            first: delivery_id,
            last: None,
            settled: true,
            state: Some(state),
            batchable: false,
        };
        context.send(self.channel, &disposition);
    }

    /// Tells a receiving client that its message is settled.
    fn settle(&self, delivery_id: u32, state: Value, context: &Context) {
        let sender = Value::Bool(false);
        let id = Value::Uint(delivery_id);
        let fields = vec![sender, id.clone(), id, Value::Bool(true), state];
        context.send(self.channel, &frame::described(0x15, Value::List(fields)));
    }

    fn put_off(&self, delay: std::time::Duration, action: Action, context: &Context) {
        let (later, channel) = (context.later.clone(), self.channel);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let _ = later.send(Later { channel, action });
        });
    }

    /// When a lock expires that keeps a message from a waiting client.
    pub(super) fn next_lock_expiry(&self, context: &Context) -> Option<OffsetDateTime> {
        let waiting = self.links.values().filter(|link| link.credit > 0 && self.is_idle());
        let mut broker = context.shared.broker();
        let expiries = waiting.filter_map(|link| match &link.kind {
            LinkKind::Consumer { path, .. } => {
                broker.subscription(&path.topic, &path.name).ok()?.next_lock_expiry(path.queue)
            }
            _ => None,
        });
        expiries.min()
    }

    /// Detaches the links whose tokens have expired.
    pub(super) fn detach_unauthorized(&mut self, context: &Context, now: OffsetDateTime) {
        let open = |entity: &Entity| context.tokens.allow(entity, &context.shared.config, now);
        let closed = |(handle, link): (&u32, &super::session::Link)| {
            link.entity().filter(|entity| !open(entity)).map(|_| *handle)
        };
        for handle in self.links.iter().filter_map(closed).collect::<Vec<_>>() {
            self.detach(handle, error("amqp:unauthorized-access", "ExpiredToken: The token is expired."), context);
        }
    }
}

/// Answers a request of either node.
fn answer(node: &Node, request: &Request, context: &mut Context) -> (super::request::Reply, Effects, Spelling) {
    let now = clock::now();
    match node.entity() {
        Some(entity) => {
            let (reply, effects) = management::answer(request, entity, &context.shared, now);
            (reply, effects, Spelling::Camel)
        }
        None => {
            let effects = context.shared.faults.happen(Operation::PutToken, None);
            let reply = context.tokens.put(request, &context.shared, now);
            let reply = match effects.refusal() {
                Some((status, condition, description)) => {
                    super::request::Reply::failure(status, condition, description)
                }
                None => reply,
            };
            (reply, effects, Spelling::Dashed)
        }
    }
}

/// Puts what a client has sent into its topic.
fn publish(topic: &str, sent: &Partial, context: &Context) -> Result<(), fe2o3_amqp_types::definitions::Error> {
    let messages = decode(sent).map_err(|malformed| error("amqp:decode-error", malformed.to_string()))?;
    if messages.iter().any(|message| message.annotation("x-opt-scheduled-enqueue-time").is_some()) {
        return Err(error("amqp:not-implemented", "The local Service Bus does not schedule messages."));
    }
    context.shared.calls.record(Call::Send { topic: topic.to_owned(), messages: messages.len() });
    let now = clock::now();
    for message in messages {
        let published = context.shared.broker().publish(topic, message, now);
        published.map_err(|missing| error("amqp:not-found", missing.to_string()))?;
    }
    context.shared.available.send_replace(());
    Ok(())
}

fn decode(sent: &Partial) -> Result<Vec<Message>, MalformedMessage> {
    if sent.format != BATCH_FORMAT {
        return Ok(vec![Message::decode(&sent.bytes)?]);
    }
    let sections = sections::split(&sent.bytes).ok_or(MalformedMessage)?;
    let data = sections.iter().filter(|section| section.code == code::DATA);
    data.map(|section| match section.value() {
        Some(Value::Binary(message)) => Message::decode(&message),
        _ => Err(MalformedMessage),
    })
    .collect()
}

/// Takes a message for a consumer: its bytes, and the lock on it unless it is given for good.
fn take(path: &SubscriptionPath, settled: bool, context: &Context) -> Option<(Vec<u8>, Option<Unsettled>)> {
    let mut broker = context.shared.broker();
    let subscription = broker.subscription(&path.topic, &path.name).ok()?;
    let now = clock::now();
    let taken = if settled {
        (subscription.receive_and_delete(path.queue, now)?, None)
    } else {
        let delivery = subscription.receive(path.queue, now)?;
        (delivery.bytes, Some(Unsettled { path: path.clone(), lock_token: delivery.lock_token }))
    };
    context.shared.calls.record(Call::Receive { entity: Entity::Subscription(path.clone()).path() });
    Some(taken)
}

fn lock_lost() -> Value {
    let rejected = Rejected { error: Some(error("com.microsoft:message-lock-lost", LOCK_LOST)) };
    serde_amqp::from_slice(&encode(&rejected)).unwrap_or_default()
}
