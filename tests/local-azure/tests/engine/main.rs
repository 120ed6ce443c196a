//! Container groups whose images run, on an engine that speaks Docker's API.
//!
//! Without an engine these tests say so and pass; with `ACI_SCALER_ENGINE=required`, as in CI, they fail.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod demo;
mod ends;
mod lives;
mod support;
