//! The local Service Bus over real sockets.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod access;
mod administration;
mod faults;
mod partitions;
mod peek;
mod protocol;
mod receive;
mod unserved;
