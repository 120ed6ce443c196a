//! Adds, lists and removes faults of Resource Manager over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::how_often::occurrence;
use super::{Created, Refusal, parse};
use crate::clock;
use crate::local::LocalAzure;
use crate::resource_manager::{self, Answer, NextLink, OperationKind, Operations, RateLimit};

pub(super) async fn all(State(azure): State<LocalAzure>) -> Json<Value> {
    Json(json!(azure.resource_manager.faults()))
}

pub(super) async fn add(State(azure): State<LocalAzure>, body: Bytes) -> Created {
    let fault = parse::<ResourceManagerFault>(&body)?.into_fault()?;
    let created = json!(fault);
    azure.resource_manager.inject(fault);
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn clear(State(azure): State<LocalAzure>) -> StatusCode {
    azure.resource_manager.clear_faults();
    StatusCode::NO_CONTENT
}

/// Changes how many container groups may be created and deleted.
pub(super) async fn set_rate_limit(State(azure): State<LocalAzure>, body: Bytes) -> Result<StatusCode, Refusal> {
    azure.resource_manager.set_rate_limit(parse::<RateLimit>(&body)?);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceManagerFault {
    operation: Operations,
    effect: ArmEffect,
    name: Option<String>,
    message_id: Option<String>,
    #[serde(default)]
    after_effect: bool,
    times: Option<u32>,
    probability: Option<f64>,
    seed: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ArmEffect {
    Answer(NamedAnswer),
    Hang,
    Reset,
    Truncate,
    Pretend(Status),
    DelayMs(u64),
    RecordedLatency,
    PageLimit(usize),
    RepeatItems,
    NextLink(NextLink),
    ByteOrderMark,
    DateOffsetSeconds(i64),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum NamedAnswer {
    /// Azure Resource Manager's own 429.
    Throttled {
        retry_after_seconds: u64,
    },
    /// The 429 of container instances.
    TooManyRequests {
        retry_after_seconds: u64,
    },
    QuotaReached,
    ServiceUnavailable,
    TokenExpired,
    Forbidden,
    Garbage,
    Empty {
        status: Status,
    },
    Error {
        status: Status,
        code: String,
        #[serde(default)]
        message: String,
        retry_after_seconds: Option<u64>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    Json {
        status: Status,
        body: Value,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
}

/// The status of an answer: one that ends a request.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u16")]
struct Status(u16);

impl TryFrom<u16> for Status {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        if (200..600).contains(&status) { Ok(Self(status)) } else { Err("a status is 200 to 599") }
    }
}

impl ResourceManagerFault {
    fn into_fault(self) -> Result<resource_manager::Fault, Refusal> {
        let Self { operation, effect, name, message_id, after_effect, times, probability, seed } = self;
        if matches!(effect, ArmEffect::Pretend(_)) && !PRETENDED.map(Operations::Of).contains(&operation) {
            return Err(Refusal::Invalid(format!("only {} can be pretended", json!(PRETENDED))));
        }
        let mut trigger = resource_manager::Fault::always(operation).occurring(occurrence(times, probability, seed)?);
        if let Some(name) = name {
            trigger = trigger.named(name);
        }
        if let Some(message_id) = message_id {
            trigger = trigger.of_message(message_id);
        }
        if after_effect {
            trigger = trigger.after_effect();
        }
        Ok(match effect {
            ArmEffect::Answer(answer) => trigger.answers(answer.into()),
            ArmEffect::Pretend(status) => trigger.pretends(status.0),
            ArmEffect::RecordedLatency => trigger.takes_as_long_as_recorded(),
            ArmEffect::RepeatItems => trigger.repeats_items(),
            ArmEffect::NextLink(link) => trigger.leads_on(link),
            ArmEffect::ByteOrderMark => trigger.marks_byte_order(),
            ArmEffect::DateOffsetSeconds(offset) => trigger.shifts_date(time::Duration::seconds(offset)),
            ArmEffect::DelayMs(delay) => trigger.delays(Duration::from_millis(delay)),
            ArmEffect::Hang => trigger.hangs(),
            ArmEffect::Reset => trigger.resets(),
            ArmEffect::Truncate => trigger.truncates(),
            ArmEffect::PageLimit(limit) => trigger.limits_pages(limit),
        })
    }
}

impl From<NamedAnswer> for Answer {
    fn from(answer: NamedAnswer) -> Self {
        match answer {
            NamedAnswer::Throttled { retry_after_seconds } => Self::throttled(Duration::from_secs(retry_after_seconds)),
            NamedAnswer::TooManyRequests { retry_after_seconds } => {
                Self::too_many_requests(Duration::from_secs(retry_after_seconds))
            }
            NamedAnswer::QuotaReached => Self::quota_reached(),
            NamedAnswer::ServiceUnavailable => Self::service_unavailable(),
            NamedAnswer::TokenExpired => Self::token_expired(OffsetDateTime::UNIX_EPOCH, clock::now()),
            NamedAnswer::Forbidden => Self::forbidden("any"),
            NamedAnswer::Garbage => Self::garbage(),
            NamedAnswer::Empty { status } => Self::empty(status.0),
            NamedAnswer::Error { status, code, message, retry_after_seconds, headers } => {
                let error = with_headers(Self::error(status.0, &code, &message), headers);
                match retry_after_seconds {
                    Some(seconds) => error.retry_after(Duration::from_secs(seconds)),
                    None => error,
                }
            }
            NamedAnswer::Json { status, body, headers } => with_headers(Self::json(status.0, &body), headers),
        }
    }
}

fn with_headers(answer: Answer, headers: BTreeMap<String, String>) -> Answer {
    headers.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value))
}

/// What a service can pretend to do.
const PRETENDED: [OperationKind; 3] = [OperationKind::PutGroup, OperationKind::PatchGroup, OperationKind::DeleteGroup];
