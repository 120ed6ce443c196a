//! Faults and rules over HTTP: what can be asked for, what is in force, and the end of it.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Refusal, parse};
use crate::clock;
use crate::container_groups::{Behaviour, GroupSelector, Rule};
use crate::local::LocalAzure;
use crate::occurrence::Occurrence;
use crate::resource_manager::{self, Answer, OperationKind};
use crate::service_bus::{self, Effect, Operation};

/// What the answer to a POST holds: the fault as it is in force.
type Created = Result<(StatusCode, Json<Value>), Refusal>;

pub(super) async fn service_bus(State(azure): State<LocalAzure>) -> Json<Value> {
    Json(json!(azure.service_bus.faults()))
}

pub(super) async fn fail_service_bus(State(azure): State<LocalAzure>, body: Bytes) -> Created {
    let fault = parse::<ServiceBusFault>(&body)?.into_fault()?;
    let created = json!(fault);
    azure.service_bus.inject(fault);
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn clear_service_bus(State(azure): State<LocalAzure>) -> StatusCode {
    azure.service_bus.clear_faults();
    StatusCode::NO_CONTENT
}

pub(super) async fn resource_manager(State(azure): State<LocalAzure>) -> Json<Value> {
    Json(json!(azure.resource_manager.faults()))
}

pub(super) async fn fail_resource_manager(State(azure): State<LocalAzure>, body: Bytes) -> Created {
    let fault = parse::<ResourceManagerFault>(&body)?.into_fault()?;
    let created = json!(fault);
    azure.resource_manager.inject(fault);
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn clear_resource_manager(State(azure): State<LocalAzure>) -> StatusCode {
    azure.resource_manager.clear_faults();
    StatusCode::NO_CONTENT
}

pub(super) async fn rules(State(azure): State<LocalAzure>) -> Json<Value> {
    Json(json!(azure.resource_manager.container_groups().rules()))
}

pub(super) async fn add_rule(State(azure): State<LocalAzure>, body: Bytes) -> Created {
    let RuleBody { behaviour, groups, times, probability, seed } = parse(&body)?;
    let rule = Rule::of(groups, behaviour).occurring(occurrence(times, probability, seed)?);
    let created = json!(rule);
    azure.resource_manager.container_groups().inject(rule);
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn clear_rules(State(azure): State<LocalAzure>) -> StatusCode {
    azure.resource_manager.container_groups().clear_rules();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceBusFault {
    operation: Operation,
    effect: Effect,
    subscription: Option<Subscription>,
    times: Option<u32>,
    probability: Option<f64>,
    seed: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    topic: String,
    name: String,
}

impl ServiceBusFault {
    fn into_fault(self) -> Result<service_bus::Fault, Refusal> {
        let Self { operation, effect, subscription, times, probability, seed } = self;
        if !effect.is_of(operation) {
            let message = format!("{} is no effect on {}", json!(effect), json!(operation));
            return Err(Refusal::Invalid(message));
        }
        let fault = service_bus::Fault::new(operation, effect).occurring(occurrence(times, probability, seed)?);
        match subscription {
            None => Ok(fault),
            Some(Subscription { topic, name }) if matches!(operation, Operation::Attach | Operation::Peek) => {
                Ok(fault.of_subscription(&topic, &name))
            }
            Some(_) => Err(Refusal::Invalid("only attach and peek are about a subscription".to_owned())),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceManagerFault {
    operation: OperationKind,
    effect: ArmEffect,
    name: Option<String>,
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
    DelayMs(u64),
    Hang,
    Reset,
    Truncate,
    PageLimit(usize),
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
        let Self { operation, effect, name, after_effect, times, probability, seed } = self;
        let mut trigger = resource_manager::Fault::always(operation).occurring(occurrence(times, probability, seed)?);
        if let Some(name) = name {
            trigger = trigger.named(name);
        }
        if after_effect {
            trigger = trigger.after_effect();
        }
        Ok(match effect {
            ArmEffect::Answer(answer) => trigger.answers(answer.into()),
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
            NamedAnswer::Error { status, code, message, retry_after_seconds } => {
                let error = Self::error(status.0, &code, &message);
                match retry_after_seconds {
                    Some(seconds) => error.retry_after(Duration::from_secs(seconds)),
                    None => error,
                }
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleBody {
    behaviour: Behaviour,
    #[serde(default)]
    groups: GroupSelector,
    times: Option<u32>,
    probability: Option<f64>,
    seed: Option<u64>,
}

/// How often; a seed that is not given is made up, and shown with the fault, so that it can be given the next time.
fn occurrence(times: Option<u32>, probability: Option<f64>, seed: Option<u64>) -> Result<Occurrence, Refusal> {
    let occurrence = times.map_or_else(Occurrence::default, |times| Occurrence::default().times(times));
    match (probability, seed) {
        (Some(probability), seed) if (0.0..=1.0).contains(&probability) => {
            let seed = seed.unwrap_or_else(|| Uuid::new_v4().as_fields().0.into());
            Ok(occurrence.with_probability(probability, seed))
        }
        (Some(_), _) => Err(Refusal::Invalid("a probability is between 0 and 1".to_owned())),
        (None, Some(_)) => Err(Refusal::Invalid("a seed is of use only with a probability".to_owned())),
        (None, None) => Ok(occurrence),
    }
}
