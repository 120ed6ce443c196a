//! Microsoft's own clients judge the local Azure.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod administration;
mod judge;
mod resource_manager;
mod service_bus;
