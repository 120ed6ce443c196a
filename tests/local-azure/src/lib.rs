//! Enough of Azure on the loopback address to run the unchanged scaler: Service Bus, Container Instances, managed identity
//! and a Functions host.

pub mod black_hole;
pub mod client;
pub mod clock;
pub mod container_groups;
mod control;
pub mod demo;
pub mod engine;
pub mod function_app;
pub mod functions_host;
pub mod identity;
pub mod local;
mod memory;
mod millis;
mod occurrence;
pub mod passes;
mod processes;
pub mod program;
pub mod resource_manager;
pub mod sample;
pub mod serve;
pub mod service_bus;
pub mod worker;
