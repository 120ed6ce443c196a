//! The handler answers the Functions host over real sockets: every request that hosts send, and every way a pass can go.

#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod answers;
mod logs;
mod requests;
mod served;
mod shutdown;
