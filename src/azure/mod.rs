//! The only code that talks to Azure.

pub mod credential;
pub mod service_bus;
