//! Scenarios: the real scaler's binary on the local Azure, over real sockets.

#[path = "../local-azure/tests/common/contract.rs"]
mod contract;
#[path = "../local-azure/tests/common/tools.rs"]
mod tools;

mod attempts;
mod backlog;
mod calls;
mod command_line;
mod functions_host;
mod functions_host_timeout;
mod invalid_messages;
mod killed;
mod life_of_a_group;
mod overlap;
mod partitions;
mod resource_manager_trouble;
mod secrets;
mod served;
mod service_bus_trouble;
mod shutdown;
mod soak;
mod support;
mod unserved;
