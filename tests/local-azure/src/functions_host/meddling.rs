//! What a test can do to a handler that no host does.

use std::io;

use super::half_request::{Half, HalfRequest};
use super::streams::Streams;
use super::{FunctionsHost, Shared};
use crate::processes::{self, Signal};

impl FunctionsHost {
    /// Changes what is at the other end of the handler's streams, for this and later processes.
    pub fn set_streams(&self, streams: Streams) {
        self.shared.streams.send_replace(streams);
    }

    /// Stops the handler's process where it is (SIGSTOP). False if there is none, or on a system without such
    /// signals.
    pub fn suspend(&self) -> bool {
        self.shared.signal(Signal::STOP)
    }

    /// Lets the handler's process go on (SIGCONT). False if there is none.
    pub fn resume(&self) -> bool {
        self.shared.signal(Signal::CONT)
    }

    /// Sends a part of an invocation.
    ///
    /// # Errors
    /// When nothing listens.
    pub async fn half_request(&self, function: &str, half: Half) -> io::Result<HalfRequest> {
        self.shared.half_request(function, half).await
    }
}

impl Shared {
    pub(super) fn signal(&self, signal: Signal) -> bool {
        let process = *self.process.borrow();
        process.is_some_and(|leader| processes::signal(leader, signal))
    }

    pub(super) async fn half_request(&self, function: &str, half: Half) -> io::Result<HalfRequest> {
        HalfRequest::send(self.client.port(), function, half).await
    }
}
