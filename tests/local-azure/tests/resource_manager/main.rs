//! The local Azure's Resource Manager and managed identity, over real HTTP.

mod contracts;
mod faults;
mod groups;
mod identity;
mod lists;
mod lives;
mod refusals;
mod shapes;
mod support;
mod topics;
