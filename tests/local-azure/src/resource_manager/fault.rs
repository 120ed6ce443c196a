//! Requests that go wrong.

use std::time::Duration;

use super::answer::Answer;
use super::operation::OperationKind;

/// What goes wrong with some requests. Made by a [`Trigger`]:
///
/// ```
/// # use local_azure::resource_manager::{Answer, Fault, OperationKind};
/// let fault = Fault::times(2, OperationKind::PutGroup).named("worker-1").answers(Answer::quota_reached());
/// let lost_answer = Fault::once(OperationKind::PutGroup).after_effect().resets();
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    trigger: Trigger,
    pub(super) effect: Effect,
}

/// Which requests a [`Fault`] is for.
#[derive(Clone, Debug)]
pub struct Trigger {
    kind: OperationKind,
    name: Option<String>,
    /// How many more; for ever when absent.
    left: Option<u32>,
    after_effect: bool,
}

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Answer(Answer),
    Delay(Duration),
    Hang,
    Reset,
    Truncate,
}

impl Fault {
    /// For the next request of a kind.
    pub fn once(kind: OperationKind) -> Trigger {
        Self::times(1, kind)
    }

    /// For the next `times` requests of a kind.
    pub fn times(times: u32, kind: OperationKind) -> Trigger {
        Trigger { kind, name: None, left: Some(times), after_effect: false }
    }

    /// For every request of a kind.
    pub fn always(kind: OperationKind) -> Trigger {
        Trigger { kind, name: None, left: None, after_effect: false }
    }

    /// Whether it is for this request; the request is counted if so.
    fn applies(&mut self, kind: OperationKind, name: Option<&str>) -> bool {
        let Trigger { kind: of_kind, name: of_name, left, .. } = &mut self.trigger;
        let named = of_name.as_ref().is_none_or(|of| name.is_some_and(|name| name.eq_ignore_ascii_case(of)));
        if *of_kind != kind || !named || *left == Some(0) {
            return false;
        }
        *left = left.map(|left| left - 1);
        true
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

    /// This is answered instead.
    pub fn answers(self, answer: Answer) -> Fault {
        self.meets(Effect::Answer(answer))
    }

    /// It takes so long. Other faults may come on top.
    pub fn delays(self, delay: Duration) -> Fault {
        self.meets(Effect::Delay(delay))
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

/// The faults of one request, in order: any delays, then at most one that decides the answer.
pub(super) fn take(faults: &mut [Fault], kind: OperationKind, name: Option<&str>) -> Vec<Fault> {
    let mut taken = Vec::new();
    for fault in faults {
        if fault.applies(kind, name) {
            taken.push(fault.clone());
            if !matches!(fault.effect, Effect::Delay(_)) {
                break;
            }
        }
    }
    taken
}
