//! Adds, lists and removes faults of Service Bus over HTTP.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::how_often::occurrence;
use super::{Created, Refusal, parse};
use crate::local::LocalAzure;
use crate::service_bus::{self, Effect, Operation};

pub(super) async fn all(State(azure): State<LocalAzure>) -> Json<Value> {
    Json(json!(azure.service_bus.faults()))
}

pub(super) async fn add(State(azure): State<LocalAzure>, body: Bytes) -> Created {
    let fault = parse::<ServiceBusFault>(&body)?.into_fault()?;
    let created = json!(fault);
    azure.service_bus.inject(fault);
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn clear(State(azure): State<LocalAzure>) -> StatusCode {
    azure.service_bus.clear_faults();
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
