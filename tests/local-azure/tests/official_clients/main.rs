//! Microsoft's own clients judge the local Azure.

#[path = "../common/contract.rs"]
mod contract;
#[path = "../common/tools.rs"]
mod tools;

mod administration;
mod judge;
mod resource_manager;
mod service_bus;
