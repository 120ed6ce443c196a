//! Messages that clients send.

use fe2o3_amqp_types::definitions::{Error, Role};
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState, Rejected};
use fe2o3_amqp_types::performatives::{Disposition, Transfer};
use serde_amqp::Value;

use super::attach::MAX_MESSAGE_SIZE;
use super::frame::error;
use super::session::{Action, CREDIT, Context, Dropped, LinkKind, Partial, Session};
use crate::clock;
use crate::service_bus::broker::message::{MalformedMessage, Message};
use crate::service_bus::faults::Effect;
use crate::service_bus::sections::{self, code};
use crate::service_bus::{Call, Operation, schedule};

/// The message format of a batch: every data section is an encoded message.
const BATCH_FORMAT: u32 = 0x8001_3700;

impl Session {
    /// Receives a part of a message.
    pub(super) fn on_transfer(
        &mut self,
        transfer: &Transfer,
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
        if context.breaks_off(&effects)? {
            return Ok(());
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
            (Some(refusal), _) => self.reject(message.delivery_id, refusal, context),
            (None, Some(delay)) => {
                self.put_off(delay, Action::Acknowledge { delivery_id: message.delivery_id }, context);
            }
            (None, None) => self.accept(message.delivery_id, context),
        }
        Ok(())
    }

    /// Tells a sending client that its message is accepted.
    pub(super) fn accept(&self, delivery_id: u32, context: &Context) {
        self.acknowledge(delivery_id, DeliveryState::Accepted(Accepted {}), context);
    }

    /// Tells a sending client that its message is refused.
    pub(super) fn reject(&self, delivery_id: u32, error: Error, context: &Context) {
        self.acknowledge(delivery_id, DeliveryState::Rejected(Rejected { error: Some(error) }), context);
    }

    /// Sends the outcome of its message to a sending client.
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
}

/// Puts what a client has sent into its topic.
fn publish(topic: &str, sent: &Partial, context: &Context) -> Result<(), Error> {
    let messages = decode(sent).map_err(|malformed| error("amqp:decode-error", malformed.to_string()))?;
    context.shared.calls.record(Call::Send { topic: topic.to_owned(), messages: messages.len() });
    let now = clock::now();
    for message in messages {
        let published = schedule::publish(&context.shared, topic, message, now);
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
