//! aci-scaler: every waiting Service Bus message gets its own right-sized Azure Container Instance.
//!
//! A pass observes, plans, applies and reports; see [`pass`].

pub mod azure;
pub mod clock;
pub mod commands;
pub mod container_group;
pub mod deadline;
mod error;
pub mod handler;
pub mod http;
pub mod message;
pub mod pass;
pub mod plan;
pub mod services;
pub mod settings;
pub mod sync;
pub mod telemetry;
mod tls;

#[cfg(test)]
mod test_support;
