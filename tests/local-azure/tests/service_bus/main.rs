//! The local Service Bus over real sockets.

mod access;
mod administration;
mod faults;
mod partitions;
mod peek;
mod protocol;
mod receive;
mod support;
mod unserved;
