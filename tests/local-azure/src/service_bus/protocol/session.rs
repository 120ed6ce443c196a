//! Sessions and links: windows, credit, and what arrives on a link.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fe2o3_amqp_types::definitions::{DeliveryTag, Handle};
use fe2o3_amqp_types::performatives::{Attach, Begin, Detach, End, Flow, Transfer};
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use super::cbs::Tokens;
use super::frame;
use crate::service_bus::Shared;
use crate::service_bus::broker::entity::{Entity, Node, SubscriptionPath};
use crate::service_bus::faults::{DetachSoon, Effect, Effects};

/// Transfers that the service lets a client send ahead.
pub(super) const INCOMING_WINDOW: u32 = 5_000;
/// The most links of a session. One more ends the session, as on the service.
pub(super) const MAX_LINKS: u32 = 255;
/// Deliveries that a client may send ahead on a link; it is topped up at half.
pub(super) const CREDIT: u32 = 1_000;

/// What the sessions of a connection share.
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) tokens: Tokens,
    /// Encoded frames on their way to the client.
    pub(super) out: UnboundedSender<Vec<u8>>,
    /// Delayed actions.
    pub(super) later: UnboundedSender<Later>,
    /// The largest frame that the client accepts, in bytes.
    pub(super) client_max_frame: usize,
}

/// An action that a fault delayed.
pub(super) struct Later {
    pub(super) channel: u16,
    pub(super) action: Action,
}

/// The delayed action.
pub(super) enum Action {
    Attach(Box<Attach>, Option<DetachSoon>),
    Detach { handle: u32, error: Box<fe2o3_amqp_types::definitions::Error> },
    Reply { node: Node, reply_to: Option<String>, message: Vec<u8> },
    Acknowledge { delivery_id: u32 },
}

/// The connection ends without a close.
#[derive(Debug)]
pub(super) struct Dropped;

impl Context {
    /// Sends a frame. If it can no longer be sent, the connection is about to end, so that does not matter.
    pub(super) fn send(&self, channel: u16, performative: &impl serde::Serialize) {
        let _ = self.out.send(frame::frame(frame::AMQP, channel, performative, &[]));
    }

    /// Ends the conversation if a fault wants that: without a word, or with a frame that no client can read. Returns whether
    /// one does.
    pub(super) fn breaks_off(&self, effects: &Effects) -> Result<bool, Dropped> {
        if effects.contains(&Effect::DropConnection) {
            return Err(Dropped);
        }
        let breaks_off = effects.contains(&Effect::BrokenFrame);
        if breaks_off {
            let _ = self.out.send(frame::BROKEN.to_vec());
        }
        Ok(breaks_off)
    }
}

/// A session, on the same channel in both directions; its links have the same handles in both directions too.
pub(super) struct Session {
    pub(super) channel: u16,
    next_incoming_id: u32,
    next_outgoing_id: u32,
    /// How many transfers the client still accepts.
    client_window: u32,
    received_since_flow: u32,
    pub(super) next_delivery_id: u32,
    pub(super) links: BTreeMap<u32, Link>,
    /// Whether it has ever had links that receive messages. A client that only sends requests may have thousands of others.
    pub(super) has_had_consumers: bool,
    pub(super) unsettled: BTreeMap<u32, Unsettled>,
    /// Transfers that wait for the client's window.
    outgoing: VecDeque<(Transfer, Vec<u8>)>,
    /// The service has ended it and waits for the client to do so too.
    pub(super) ended: bool,
}

/// One end of a link.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) kind: LinkKind,
    pub(super) delivery_count: u32,
    /// How many deliveries the receiving end still accepts.
    pub(super) credit: u32,
    pub(super) drain: bool,
    /// A message whose last transfer has not arrived yet.
    pub(super) partial: Option<Partial>,
}

/// What a link is for.
pub(super) enum LinkKind {
    /// The client sends requests.
    Requests(Node),
    /// The client receives replies.
    Replies { node: Node, reply_to: Option<String>, waiting: VecDeque<Vec<u8>> },
    /// The client sends messages to a topic.
    Publisher { topic: String },
    /// The client receives messages; with `settled`, each delivery settles its message.
    Consumer { path: SubscriptionPath, settled: bool },
}

pub(super) struct Partial {
    pub(super) delivery_id: u32,
    pub(super) format: u32,
    pub(super) settled: bool,
    pub(super) bytes: Vec<u8>,
}

/// A message that a client holds.
pub(super) struct Unsettled {
    pub(super) path: SubscriptionPath,
    pub(super) lock_token: Uuid,
}

impl Link {
    pub(super) fn new(name: String, kind: LinkKind, delivery_count: u32) -> Self {
        Self { name, kind, delivery_count, credit: 0, drain: false, partial: None }
    }

    /// Whether the service is the sending end.
    pub(super) fn sends(&self) -> bool {
        matches!(self.kind, LinkKind::Replies { .. } | LinkKind::Consumer { .. })
    }

    /// What a token must open for the link to stay.
    pub(super) fn entity(&self) -> Option<Entity> {
        match &self.kind {
            LinkKind::Requests(node) | LinkKind::Replies { node, .. } => node.entity().cloned(),
            LinkKind::Publisher { topic } => Some(Entity::Topic(topic.clone())),
            LinkKind::Consumer { path, .. } => Some(Entity::Subscription(path.clone())),
        }
    }
}

impl Session {
    /// Answers the client's Begin.
    pub(super) fn begin(channel: u16, begin: &Begin, context: &Context) -> Self {
        let answer = Begin {
            remote_channel: Some(channel),
            next_outgoing_id: 1,
            incoming_window: INCOMING_WINDOW,
            outgoing_window: u32::MAX,
            handle_max: Handle(MAX_LINKS),
            offered_capabilities: None,
            desired_capabilities: None,
            properties: None,
        };
        context.send(channel, &answer);
        Self {
            channel,
            next_incoming_id: begin.next_outgoing_id,
            next_outgoing_id: 1,
            client_window: begin.incoming_window,
            received_since_flow: 0,
            next_delivery_id: 0,
            links: BTreeMap::new(),
            has_had_consumers: false,
            unsettled: BTreeMap::new(),
            outgoing: VecDeque::new(),
            ended: false,
        }
    }

    /// Ends the session because of an error of the client.
    pub(super) fn end(&mut self, error: fe2o3_amqp_types::definitions::Error, context: &Context) {
        context.send(self.channel, &End { error: Some(error) });
        self.links.clear();
        self.outgoing.clear();
        self.ended = true;
    }

    pub(super) fn on_detach(&mut self, detach: Detach, context: &Context) {
        if self.links.remove(&detach.handle.0).is_some() {
            context.send(self.channel, &Detach { error: None, ..detach });
        }
    }

    /// Detaches a link because of an error.
    pub(super) fn detach(&mut self, handle: u32, error: fe2o3_amqp_types::definitions::Error, context: &Context) {
        if self.links.remove(&handle).is_some() {
            context.send(self.channel, &Detach { handle: Handle(handle), closed: true, error: Some(error) });
        }
    }

    pub(super) fn on_flow(&mut self, flow: &Flow, context: &Context) {
        let next = flow.next_incoming_id.unwrap_or(1);
        self.client_window = next.wrapping_add(flow.incoming_window).wrapping_sub(self.next_outgoing_id);
        let handle = flow.handle.as_ref().map(|handle| handle.0);
        if let Some(link) = handle.and_then(|handle| self.links.get_mut(&handle))
            && link.sends()
        {
            let limit = flow.delivery_count.unwrap_or(0).wrapping_add(flow.link_credit.unwrap_or(0));
            link.credit = limit.wrapping_sub(link.delivery_count);
            link.drain = flow.drain;
        }
        // Only the session's window makes a link wait until another link's messages are sent.
        match handle.filter(|_| self.is_idle()) {
            Some(handle) => self.deliver_on(handle, context),
            None => self.deliver(context),
        }
        if flow.echo {
            self.send_flow(handle, context);
        }
    }

    /// Counts a received transfer.
    pub(super) fn count_transfer(&mut self, context: &Context) {
        self.next_incoming_id = self.next_incoming_id.wrapping_add(1);
        self.received_since_flow += 1;
        if self.received_since_flow >= INCOMING_WINDOW / 2 {
            self.send_flow(None, context);
        }
    }

    /// Tells the client the state of the session, and of a link.
    pub(super) fn send_flow(&mut self, handle: Option<u32>, context: &Context) {
        self.received_since_flow = 0;
        let link = handle.and_then(|handle| self.links.get(&handle));
        let flow = Flow {
            next_incoming_id: Some(self.next_incoming_id),
            incoming_window: INCOMING_WINDOW,
            next_outgoing_id: self.next_outgoing_id,
            outgoing_window: u32::MAX,
            handle: link.and(handle).map(Handle),
            delivery_count: link.map(|link| link.delivery_count),
            link_credit: link.map(|link| link.credit),
            available: link.filter(|link| link.sends()).map(|_| 0),
            drain: link.is_some_and(|link| link.drain),
            echo: false,
            properties: None,
        };
        context.send(self.channel, &flow);
    }

    /// Gives a client as much credit as it may have on a link.
    pub(super) fn top_up(&mut self, handle: u32, context: &Context) {
        if let Some(link) = self.links.get_mut(&handle) {
            link.credit = CREDIT;
        }
        self.send_flow(Some(handle), context);
    }

    /// Whether everything that was to be sent has been.
    pub(super) fn is_idle(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Queues a message for sending, split to the client's frame size. Returns its delivery id.
    pub(super) fn transfer(
        &mut self,
        handle: u32,
        tag: Vec<u8>,
        settled: bool,
        message: &[u8],
        context: &Context,
    ) -> u32 {
        let delivery_id = self.next_delivery_id;
        self.next_delivery_id = delivery_id.wrapping_add(1);
        let chunks = message.chunks(context.client_max_frame.min(frame::MAX_FRAME_SIZE as usize) - TRANSFER_OVERHEAD);
        let count = chunks.len();
        let mut tag = Some(DeliveryTag::from(tag));
        for (index, chunk) in chunks.enumerate() {
            let first = index == 0;
            let transfer = Transfer {
                handle: Handle(handle),
                delivery_id: first.then_some(delivery_id),
                delivery_tag: tag.take(),
                message_format: first.then_some(0),
                settled: first.then_some(settled),
                more: index + 1 < count,
                rcv_settle_mode: None,
                state: None,
                resume: false,
                aborted: false,
                batchable: first,
            };
            self.outgoing.push_back((transfer, chunk.to_vec()));
        }
        self.flush(context);
        delivery_id
    }

    /// Sends as much as the client's window allows.
    pub(super) fn flush(&mut self, context: &Context) {
        while self.client_window > 0
            && let Some((transfer, payload)) = self.outgoing.pop_front()
        {
            let _ = context.out.send(frame::frame(frame::AMQP, self.channel, &transfer, &payload));
            self.client_window -= 1;
            self.next_outgoing_id = self.next_outgoing_id.wrapping_add(1);
        }
    }
}

/// More than a frame's header and a transfer with a tag of 16 bytes take.
const TRANSFER_OVERHEAD: usize = 128;
