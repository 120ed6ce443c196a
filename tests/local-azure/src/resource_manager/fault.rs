//! Faults of requests.

use std::time::Duration;

use serde::Serialize;

use super::answer::Answer;
use super::effect::{Effect, NextLink};
use super::operation::{OperationKind, Operations};
use crate::occurrence::Occurrence;

/// A fault of some requests. A [`Trigger`] makes it:
///
/// ```
/// # use std::time::Duration;
/// # use local_azure::resource_manager::{Answer, Fault, OperationKind, Operations};
/// let fault = Fault::times(2, OperationKind::PutGroup).named("worker-1").answers(Answer::quota_reached());
/// let lost_answer = Fault::once(OperationKind::PutGroup).after_effect().resets();
/// let of_message = Fault::always(OperationKind::PutGroup)
///     .of_message("m1")
///     .answers(Answer::error(409, "ScopeLocked", "The scope cannot perform write operation because it is locked."));
/// let busy = Answer::error(503, "ServiceUnavailable", "Try again.").retry_after(Duration::from_secs(3600));
/// let slow_for_one = Fault::always(OperationKind::GetGroup).named("worker-1").answers(busy);
/// let clock_is_off = Fault::always(Operations::Any).shifts_date(time::Duration::hours(-1));
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    #[serde(flatten)]
    trigger: Trigger,
    pub(super) effect: Effect,
}

/// Which requests a [`Fault`] is for.
#[derive(Clone, Debug, Serialize)]
pub struct Trigger {
    #[serde(rename = "operation")]
    operations: Operations,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(flatten)]
    occurrence: Occurrence,
    after_effect: bool,
}

/// What decides which faults a request meets.
pub(super) struct Subject<'a> {
    pub kind: OperationKind,
    pub name: Option<&'a str>,
    /// The message of the container group.
    pub message_id: Option<String>,
}

impl Fault {
    /// For the next request of a kind.
    pub fn once(operations: impl Into<Operations>) -> Trigger {
        Self::times(1, operations)
    }

    /// For the next `times` requests of a kind.
    pub fn times(times: u32, operations: impl Into<Operations>) -> Trigger {
        let always = Self::always(operations);
        Trigger { occurrence: always.occurrence.times(times), ..always }
    }

    /// For every request of a kind, or of [`Operations::Any`].
    pub fn always(operations: impl Into<Operations>) -> Trigger {
        Trigger {
            operations: operations.into(),
            name: None,
            message_id: None,
            occurrence: Occurrence::default(),
            after_effect: false,
        }
    }

    /// Whether it is for this request; the request is counted if so.
    fn applies(&mut self, subject: &Subject<'_>) -> bool {
        let Trigger { operations, name, message_id, occurrence, .. } = &mut self.trigger;
        let named = name.as_ref().is_none_or(|of| subject.name.is_some_and(|name| name.eq_ignore_ascii_case(of)));
        let of_message = message_id.is_none() || *message_id == subject.message_id;
        operations.include(subject.kind) && named && of_message && occurrence.happens()
    }

    pub(super) fn is_after_effect(&self) -> bool {
        self.trigger.after_effect
    }

    pub(super) fn is_of_a_message(&self) -> bool {
        self.trigger.message_id.is_some()
    }
}

impl Trigger {
    /// Only for the container group, topic, location or operation with this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Only for container groups that were requested with this tag `message_id`, whatever happened to the tag.
    #[must_use]
    pub fn of_message(mut self, message_id: impl Into<String>) -> Self {
        self.message_id = Some(message_id.into());
        self
    }

    /// The service carries out the request before the fault. Otherwise it does not.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.after_effect = true;
        self
    }

    /// Skips the first of these requests.
    #[must_use]
    pub fn sparing_first(mut self, spared: u32) -> Self {
        self.occurrence = self.occurrence.sparing_first(spared);
        self
    }

    pub(crate) fn occurring(self, occurrence: Occurrence) -> Self {
        Self { occurrence, ..self }
    }

    /// Only with this probability, between 0 and 1; the same seed chooses the same requests.
    #[must_use]
    pub fn with_probability(mut self, probability: f64, seed: u64) -> Self {
        self.occurrence = self.occurrence.with_probability(probability, seed);
        self
    }

    /// Answers this instead. The answer to a PUT or DELETE of a group counts towards the allowance of creates and deletes and
    /// says what is left of it, unless it is one of the gateway's own (401, 403, 429).
    pub fn answers(self, answer: Answer) -> Fault {
        self.meets(Effect::Answer(answer))
    }

    /// Answers a PUT, PATCH or DELETE of a group with this status, as if the service had begun to carry it out, but it never
    /// does.
    pub fn pretends(self, status: u16) -> Fault {
        self.meets(Effect::Pretend(status))
    }

    /// It takes this long. Other faults may add to it.
    pub fn delays(self, delay: Duration) -> Fault {
        self.meets(Effect::Delay(delay))
    }

    /// It takes as long as recorded requests of its kind: a GET 0.3 s, a list 0.5 s, a PUT, PATCH or DELETE 4 s. Other
    /// faults may add to it.
    pub fn takes_as_long_as_recorded(self) -> Fault {
        self.meets(Effect::RecordedLatency)
    }

    /// A page of a list has at most this many items, and at least one. Other faults may add to it.
    pub fn limits_pages(self, limit: usize) -> Fault {
        self.meets(Effect::PageLimit(limit.max(1)))
    }

    /// Each item of a list is on its page twice. Other faults may add to it.
    pub fn repeats_items(self) -> Fault {
        self.meets(Effect::RepeatItems)
    }

    /// The pages of a list never end. Other faults may add to it.
    pub fn leads_on(self, link: NextLink) -> Fault {
        self.meets(Effect::NextLink(link))
    }

    /// A JSON body begins with a byte order mark of UTF-8. Other faults may add to it.
    pub fn marks_byte_order(self) -> Fault {
        self.meets(Effect::ByteOrderMark)
    }

    /// The answer's `Date` is off by this much. Other faults may add to it.
    pub fn shifts_date(self, by: time::Duration) -> Fault {
        self.meets(Effect::DateOffsetSeconds(by.whole_seconds()))
    }

    /// There is never an answer.
    pub fn hangs(self) -> Fault {
        self.meets(Effect::Hang)
    }

    /// The connection is reset instead of an answer.
    pub fn resets(self) -> Fault {
        self.meets(Effect::Reset)
    }

    /// Half of the service's answer arrives, then the connection breaks. The service carries out the request.
    pub fn truncates(self) -> Fault {
        self.after_effect().meets(Effect::Truncate)
    }

    fn meets(self, effect: Effect) -> Fault {
        Fault { trigger: self, effect }
    }
}

/// The faults of one request: all that do not decide the answer, then the first one that does.
pub(super) fn take(faults: &mut [Fault], subject: &Subject<'_>) -> Vec<Fault> {
    let mut taken = Vec::new();
    let mut deciding = None;
    for fault in faults {
        let decides = fault.effect.decides();
        if (decides && deciding.is_some()) || !fault.applies(subject) {
            continue;
        }
        if decides { deciding = Some(fault.clone()) } else { taken.push(fault.clone()) }
    }
    taken.extend(deciding);
    taken
}
