//! Enough of Azure on the loopback address to run the scaler unchanged: Service Bus, container instances, managed
//! identity and a Functions host.

pub mod clock;
pub mod functions_host;
