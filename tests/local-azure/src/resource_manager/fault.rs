//! Requests that go wrong.

use std::time::Duration;

use serde::Serialize;

use super::answer::Answer;
use super::operation::OperationKind;
use crate::millis;
use crate::occurrence::Occurrence;

/// What goes wrong with some requests. Made by a [`Trigger`]:
///
/// ```
/// # use local_azure::resource_manager::{Answer, Fault, OperationKind};
/// let fault = Fault::times(2, OperationKind::PutGroup).named("worker-1").answers(Answer::quota_reached());
/// let lost_answer = Fault::once(OperationKind::PutGroup).after_effect().resets();
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
    kind: OperationKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(flatten)]
    occurrence: Occurrence,
    after_effect: bool,
}

/// What happens.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    Answer(Answer),
    #[serde(rename = "delay_ms", with = "millis")]
    Delay(Duration),
    Hang,
    Reset,
    Truncate,
    PageLimit(usize),
}

impl Fault {
    /// For the next request of a kind.
    pub fn once(kind: OperationKind) -> Trigger {
        Self::times(1, kind)
    }

    /// For the next `times` requests of a kind.
    pub fn times(times: u32, kind: OperationKind) -> Trigger {
        let always = Self::always(kind);
        Trigger { occurrence: always.occurrence.times(times), ..always }
    }

    /// For every request of a kind.
    pub fn always(kind: OperationKind) -> Trigger {
        Trigger { kind, name: None, occurrence: Occurrence::default(), after_effect: false }
    }

    /// Whether it is for this request; the request is counted if so.
    fn applies(&mut self, kind: OperationKind, name: Option<&str>) -> bool {
        let Trigger { kind: of_kind, name: of_name, occurrence, .. } = &mut self.trigger;
        let named = of_name.as_ref().is_none_or(|of| name.is_some_and(|name| name.eq_ignore_ascii_case(of)));
        *of_kind == kind && named && occurrence.happens()
    }

    pub(super) fn is_after_effect(&self) -> bool {
        self.trigger.after_effect
    }
}

impl Trigger {
    /// Only for what has this name: a container group, topic, location or operation.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The service does what it was asked to; then its answer meets the fault. Otherwise it never gets to do it.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.after_effect = true;
        self
    }

    /// Not for the first so many of these requests.
    #[must_use]
    pub fn sparing_first(mut self, spared: u32) -> Self {
        self.occurrence = self.occurrence.sparing_first(spared);
        self
    }

    pub(crate) fn occurring(self, occurrence: Occurrence) -> Self {
        Self { occurrence, ..self }
    }

    /// Only with this probability, between 0 and 1; the same seed lets the same ones go wrong.
    #[must_use]
    pub fn with_probability(mut self, probability: f64, seed: u64) -> Self {
        self.occurrence = self.occurrence.with_probability(probability, seed);
        self
    }

    /// This is answered instead.
    pub fn answers(self, answer: Answer) -> Fault {
        self.meets(Effect::Answer(answer))
    }

    /// It takes so long. Other faults may come on top.
    pub fn delays(self, delay: Duration) -> Fault {
        self.meets(Effect::Delay(delay))
    }

    /// At most so many of what a list lists are on a page of it, and one at least. Other faults may come on top.
    pub fn limits_pages(self, limit: usize) -> Fault {
        self.meets(Effect::PageLimit(limit.max(1)))
    }

    /// There is never an answer.
    pub fn hangs(self) -> Fault {
        self.meets(Effect::Hang)
    }

    /// The connection is reset in the place of the answer.
    pub fn resets(self) -> Fault {
        self.meets(Effect::Reset)
    }

    /// Half of the service's answer arrives, then the connection breaks. The service does what it was asked to.
    pub fn truncates(self) -> Fault {
        self.after_effect().meets(Effect::Truncate)
    }

    fn meets(self, effect: Effect) -> Fault {
        Fault { trigger: self, effect }
    }
}

/// The faults of one request, in order: any that leave the answer be, then at most one that decides it.
pub(super) fn take(faults: &mut [Fault], kind: OperationKind, name: Option<&str>) -> Vec<Fault> {
    let mut taken = Vec::new();
    for fault in faults {
        if fault.applies(kind, name) {
            taken.push(fault.clone());
            if !matches!(fault.effect, Effect::Delay(_) | Effect::PageLimit(_)) {
                break;
            }
        }
    }
    taken
}

/// How many of what a list lists may be on a page of it.
pub(super) fn page_limit(faults: &[Fault]) -> usize {
    let limits = faults.iter().filter_map(|fault| match fault.effect {
        Effect::PageLimit(limit) => Some(limit),
        _ => None,
    });
    limits.min().unwrap_or(usize::MAX)
}
