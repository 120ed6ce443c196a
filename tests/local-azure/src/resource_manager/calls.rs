//! The requests to the service.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::Method;
use tokio::time::Instant;

use super::operation::OperationKind;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its kind.
    pub kind: OperationKind,
    /// The name of the container group, topic, location or operation that it is about.
    pub name: Option<String>,
    /// Its method.
    pub method: Method,
    /// Its path and query, as received.
    pub uri: String,
    /// Its body, byte for byte.
    pub body: Vec<u8>,
    /// When it arrived.
    pub at: Instant,
    /// The status of the answer; absent until there is one, and always if the connection was reset or the client left.
    pub status: Option<u16>,
    /// The body of the service's own answer, byte for byte; absent if a fault replaced it, and if answers are not kept.
    pub answer: Option<Bytes>,
}

/// All requests, in the order in which they arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct CallLog(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    calls: Vec<Call>,
    /// The number of calls that were forgotten.
    forgotten: usize,
    under_way: HashMap<OperationKind, usize>,
    most_at_once: HashMap<OperationKind, usize>,
}

/// A request that is under way; dropping it ends it.
pub(super) struct OpenCall {
    log: CallLog,
    kind: OperationKind,
    number: usize,
}

impl CallLog {
    pub(super) fn begin(&self, call: Call) -> OpenCall {
        let mut log = self.lock();
        let kind = call.kind;
        log.calls.push(call);
        let under_way = log.under_way.entry(kind).or_default();
        *under_way += 1;
        let under_way = *under_way;
        let most = log.most_at_once.entry(kind).or_default();
        *most = under_way.max(*most);
        OpenCall { log: self.clone(), kind, number: log.forgotten + log.calls.len() - 1 }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// The most requests of a kind that were under way at the same time.
    pub(super) fn most_at_once(&self, kind: OperationKind) -> usize {
        self.lock().most_at_once.get(&kind).copied().unwrap_or_default()
    }

    pub(super) fn forget(&self) {
        let mut log = self.lock();
        log.forgotten += log.calls.len();
        log.calls.clear();
        let Log { under_way, most_at_once, .. } = &mut *log;
        most_at_once.clone_from(under_way);
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenCall {
    /// Notes the answer before it is sent.
    pub(super) fn answered(&self, status: u16, answer: Option<Bytes>) {
        let mut log = self.log.lock();
        let Some(index) = self.number.checked_sub(log.forgotten) else { return };
        if let Some(call) = log.calls.get_mut(index) {
            call.status = Some(status);
            call.answer = answer;
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if let Some(under_way) = self.log.lock().under_way.get_mut(&self.kind) {
            *under_way -= 1;
        }
    }
}
