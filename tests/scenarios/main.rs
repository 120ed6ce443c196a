//! Scenarios: the real scaler's binary on the local Azure, over real sockets.

mod backlog;
mod command_line;
mod functions_host;
mod invalid_messages;
mod life_of_a_group;
mod resource_manager_trouble;
mod secrets;
mod service_bus_trouble;
mod shutdown;
mod support;
