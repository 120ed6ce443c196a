//! Scenarios: the real scaler's binary on the local Azure, over real sockets.

// They send signals, and share files and pipes with the scaler as Unix does; the demonstration runs everywhere.
#![cfg(unix)]
#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod any_group;
mod attempts;
mod backlog;
mod calls;
mod command_line;
mod container_groups_doc;
mod failed_creates;
mod failing_starts;
#[cfg(target_os = "linux")]
mod floods;
mod functions_host;
mod functions_host_timeout;
mod identity;
mod incidents;
mod invalid_messages;
mod killed;
mod life_of_a_group;
mod odd_answers;
mod out_of_memory;
mod outside;
mod overlap;
mod partitions;
mod resource_manager_trouble;
mod retry;
mod rewritten_tags;
mod say_why;
mod secrets;
mod served;
mod service_bus_trouble;
mod shutdown;
mod soak;
mod streams;
mod support;
mod unserved;
mod upgrade;
