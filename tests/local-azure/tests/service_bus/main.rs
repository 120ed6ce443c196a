//! The local Service Bus over real sockets.

mod access;
mod faults;
mod peek;
mod protocol;
mod receive;
mod support;
