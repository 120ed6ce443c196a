//! Enough of Azure on the loopback address to run the scaler unchanged: Service Bus, container instances, managed
//! identity and a Functions host.

pub mod client;
pub mod clock;
pub mod container_groups;
pub mod demo;
pub mod function_app;
pub mod functions_host;
pub mod identity;
pub mod local;
pub mod resource_manager;
pub mod sample;
pub mod serve;
pub mod service_bus;
pub mod worker;
