//! The local Azure for developers: the control API, the page, and programs as workers.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod actions;
mod black_holes;
mod entities;
mod faults;
mod groups;
mod identity;
mod page;
#[cfg(unix)]
mod programs;
mod source;
mod support;
