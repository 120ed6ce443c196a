//! Requests to `$cbs` and `$management`, and the way of their replies.

use std::time::Duration;

use serde_amqp::Value;
use tokio::time::Instant;

use super::frame::error;
use super::management;
use super::request::{Reply, Request, Spelling};
use super::session::{Action, Context, Dropped, Later, Link, LinkKind, Partial, Session};
use crate::clock;
use crate::service_bus::Operation;
use crate::service_bus::broker::entity::Node;
use crate::service_bus::faults::{Effect, Effects};

/// Timers end at the next whole millisecond. This is taken off, so that delays are right on average.
const HALF_A_TICK: Duration = Duration::from_micros(500);

impl Session {
    /// Answers a request to `$cbs` or `$management`.
    pub(super) fn on_request(&mut self, node: Node, message: &Partial, context: &mut Context) -> Result<(), Dropped> {
        let arrived = Instant::now();
        let Some(request) = Request::decode(&message.bytes) else {
            let refusal = error("amqp:decode-error", "The request is not an AMQP message.");
            self.reject(message.delivery_id, refusal, context);
            return Ok(());
        };
        if !message.settled {
            self.accept(message.delivery_id, context);
        }
        let (reply, effects, spelling) = answer(&node, &request, context);
        if context.breaks_off(&effects)? || effects.contains(&Effect::Hang) {
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
            // The time to make the answer is part of the delay, as it is part of the service's latency.
            Some(delay) => self.put_off(delay.saturating_sub(arrived.elapsed()), reply, context),
            None => self.act(reply, context),
        }
        Ok(())
    }

    /// Carries out an action that was delayed, or needed no delay.
    pub(super) fn act(&mut self, action: Action, context: &Context) {
        match action {
            Action::Attach(attach, detach) => self.attach_for_now(*attach, detach, context),
            Action::Detach { handle, error } => self.detach(handle, *error, context),
            Action::Acknowledge { delivery_id } => self.accept(delivery_id, context),
            Action::Reply { node, reply_to, message } => {
                let handle = self.reply_link(&node, reply_to.as_deref());
                if let Some((handle, link)) = handle.and_then(|handle| Some((handle, self.links.get_mut(&handle)?)))
                    && let LinkKind::Replies { waiting, .. } = &mut link.kind
                {
                    waiting.push_back(message);
                    self.deliver_on(handle, context);
                }
            }
        }
    }

    /// The link for a reply: the one whose target or else whose name the request gave as its reply-to, since the SDKs
    /// do either; else any of the node's, since Python's SDK gives no reply-to to `$cbs`.
    fn reply_link(&self, node: &Node, reply_to: Option<&str>) -> Option<u32> {
        let links = self.links.iter().filter_map(|(handle, link)| match &link.kind {
            LinkKind::Replies { node: of, reply_to: target, .. } if of == node => Some((*handle, link, target)),
            _ => None,
        });
        let score = |link: &(u32, &Link, &Option<String>)| match reply_to {
            Some(reply_to) if link.2.as_deref() == Some(reply_to) => 2,
            Some(reply_to) if link.1.name == reply_to => 1,
            _ => 0,
        };
        links.max_by_key(|link| (score(link), link.0)).map(|(handle, ..)| handle)
    }

    /// Delays an action.
    pub(super) fn put_off(&self, delay: Duration, action: Action, context: &Context) {
        let (later, channel) = (context.later.clone(), self.channel);
        tokio::spawn(async move {
            tokio::time::sleep(delay.saturating_sub(HALF_A_TICK)).await;
            let _ = later.send(Later { channel, action });
        });
    }
}

/// Answers a request of either node.
fn answer(node: &Node, request: &Request, context: &mut Context) -> (Reply, Effects, Spelling) {
    let now = clock::now();
    if let Some(entity) = node.entity() {
        let (reply, effects) = management::answer(request, entity, &context.shared, now);
        return (reply, effects, Spelling::Camel);
    }
    let effects = context.shared.faults.happen(Operation::PutToken, None);
    let reply = context.tokens.put(request, &context.shared, &effects, now);
    (reply, effects, Spelling::Dashed)
}
