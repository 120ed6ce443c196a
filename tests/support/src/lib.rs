//! What the tests of several crates are made of.
//!
//! It knows the scaler only by what goes in and out of it: variables of its environment, and JSON. So its unit tests can use
//! this as well as those that run its binary.

#![allow(clippy::missing_panics_doc, reason = "it is for tests, which panic when something is wrong")]

pub mod ceiling;
pub mod contract;
pub mod environment;
pub mod group;
pub mod log;
pub mod peer;
pub mod programs;
