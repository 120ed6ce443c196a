//! Messages that clients receive, and how they settle them.

use serde_amqp::Value;
use serde_amqp::primitives::Symbol;
use time::OffsetDateTime;

use super::frame::{self, ReceiverDisposition, error};
use super::management::LOCK_LOST;
use super::session::{Context, Link, LinkKind, Session, Unsettled};
use crate::clock;
use crate::service_bus::broker::entity::{Entity, SubscriptionPath};
use crate::service_bus::{Call, Settlement};

impl Session {
    /// Sends messages on every link with credit.
    pub(super) fn deliver(&mut self, context: &Context) {
        self.flush(context);
        let handles: Vec<u32> = self.links.iter().filter(|(_, link)| link.sends()).map(|(handle, _)| *handle).collect();
        for handle in handles {
            self.deliver_on(handle, context);
        }
    }

    /// Sends messages on one link.
    pub(super) fn deliver_on(&mut self, handle: u32, context: &Context) {
        // The frames of the last message must be sent before another one is locked.
        while self.is_idle() && self.deliver_one(handle, context) {}
        if self.is_idle() {
            self.finish_drain(handle, context);
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

    /// Tells a receiving client that its message is settled.
    fn settle(&self, delivery_id: u32, state: Value, context: &Context) {
        let sender = Value::Bool(false);
        let id = Value::Uint(delivery_id);
        let fields = vec![sender, id.clone(), id, Value::Bool(true), state];
        context.send(self.channel, &frame::described(frame::DISPOSITION, Value::List(fields)));
    }

    /// When the next lock that keeps a message from a waiting client expires.
    pub(super) fn next_lock_expiry(&self, context: &Context) -> Option<OffsetDateTime> {
        if !self.has_had_consumers {
            return None;
        }
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
        let closed = |(handle, link): (&u32, &Link)| link.entity().filter(|entity| !open(entity)).map(|_| *handle);
        for handle in self.links.iter().filter_map(closed).collect::<Vec<_>>() {
            self.detach(handle, error("amqp:unauthorized-access", "ExpiredToken: The token is expired."), context);
        }
    }
}

/// Takes a message for a consumer: its bytes, and the lock on it unless the delivery settles it.
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
    let condition = Value::Symbol(Symbol::from("com.microsoft:message-lock-lost"));
    let error = frame::described(frame::ERROR, Value::List(vec![condition, Value::from(LOCK_LOST)]));
    frame::described(frame::REJECTED, Value::List(vec![error]))
}
