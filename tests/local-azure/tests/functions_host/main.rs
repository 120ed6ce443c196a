//! The local Functions host does what the real one does, to handlers that behave and to handlers that do not.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod admin;
mod answers;
mod app;
mod meddling;
mod process;
mod requests;
mod timers;
