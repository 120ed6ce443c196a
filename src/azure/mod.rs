//! The only code that talks to Azure.

pub mod arm;
mod arm_error;
pub mod container_instances;
pub mod credential;
pub mod http;
pub mod service_bus;
pub mod topic_subscriptions;
