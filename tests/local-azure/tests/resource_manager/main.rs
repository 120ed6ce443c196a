//! The local Azure's Resource Manager and managed identity, over real HTTP.

#[path = "../common/contract.rs"]
mod contract;
#[path = "../common/tools.rs"]
mod tools;

mod allowance;
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
