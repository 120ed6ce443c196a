//! The local Service Bus over real sockets.

mod access;
mod administration;
mod faults;
mod peek;
mod protocol;
mod receive;
