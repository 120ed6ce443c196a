//! The handler answers the Functions host over real sockets: every request that hosts send, and every way a pass can go.

mod answers;
mod logs;
mod requests;
mod served;
mod shutdown;
