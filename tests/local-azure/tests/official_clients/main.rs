//! Microsoft's own clients judge the local Azure.

mod administration;
mod judge;
mod resource_manager;
mod service_bus;
