//! The Functions host's stand-in does what the host does, to handlers that behave and to handlers that do not.

mod admin;
mod answers;
mod app;
mod meddling;
mod process;
mod requests;
mod timers;
