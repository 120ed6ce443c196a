//! The local Azure's Resource Manager and managed identity, over real HTTP.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod allowance;
mod companions;
mod contracts;
mod faults;
mod groups;
mod identity;
mod lists;
mod lives;
mod refusals;
mod shapes;
mod support;
mod tags;
mod topics;
