//! The effects of faults on a request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::fault::Fault;
use super::operation::OperationKind;
use crate::millis;

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    Answer(Answer),
    Hang,
    Reset,
    Truncate,
    Pretend(u16),
    #[serde(rename = "delay_ms", with = "millis")]
    Delay(Duration),
    RecordedLatency,
    PageLimit(usize),
    RepeatItems,
    NextLink(NextLink),
    ByteOrderMark,
    DateOffsetSeconds(i64),
}

/// Where the link at the end of a page leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextLink {
    /// To the page that it is on.
    ToItself,
    /// From the last page to the first.
    ToFirstPage,
    /// From the last page to the first, by a different link each time.
    Endless,
}

impl Effect {
    /// Whether it decides the answer; other effects leave the answer to the service, or add to it.
    pub(super) fn decides(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Hang | Self::Reset | Self::Truncate | Self::Pretend(_))
    }

    /// How long the request takes because of it.
    pub(super) fn delay(&self, kind: OperationKind) -> Option<Duration> {
        match self {
            Self::Delay(delay) => Some(*delay),
            Self::RecordedLatency => Some(kind.recorded_latency()),
            _ => None,
        }
    }
}

/// What faults change about the service's own answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changes {
    /// How many items a page of a list may have.
    pub page_limit: usize,
    pub repeats_items: bool,
    pub next_link: Option<NextLink>,
    /// The status of an answer after which nothing happens.
    pub pretends: Option<u16>,
    pub byte_order_mark: bool,
    pub date_offset_seconds: Option<i64>,
}

impl Changes {
    pub(super) fn of(faults: &[Fault]) -> Self {
        let mut changes = Self {
            page_limit: usize::MAX,
            repeats_items: false,
            next_link: None,
            pretends: None,
            byte_order_mark: false,
            date_offset_seconds: None,
        };
        for fault in faults {
            match fault.effect {
                Effect::PageLimit(limit) => changes.page_limit = changes.page_limit.min(limit),
                Effect::RepeatItems => changes.repeats_items = true,
                Effect::NextLink(link) => changes.next_link = Some(link),
                Effect::Pretend(status) => changes.pretends = Some(status),
                Effect::ByteOrderMark => changes.byte_order_mark = true,
                Effect::DateOffsetSeconds(offset) => changes.date_offset_seconds = Some(offset),
                _ => {}
            }
        }
        changes
    }

    /// Whether the answer is still what the service's contract says.
    pub(super) fn keep_the_contract(&self) -> bool {
        !self.repeats_items && self.next_link.is_none() && self.pretends.is_none()
    }
}
