//! The local Azure as it is for people who develop on it: the control API, the page, and workers of their own.

mod actions;
mod black_holes;
mod entities;
mod faults;
mod groups;
mod identity;
mod page;
mod programs;
mod source;
mod support;
#[path = "../common/tools.rs"]
mod tools;
