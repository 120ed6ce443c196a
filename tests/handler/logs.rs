//! What an invocation logs, and with what.

use std::io;
use std::sync::{Arc, Mutex};

use aci_scaler::handler::InvocationFailure;
use aci_scaler::telemetry::{self, LogFormat};
use local_azure::functions_host::variants::{tick, timer};
use serde_json::{Value, json};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Instrument, info, warn};

use crate::served::{serve, summary};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Takes the log of this thread, which is that of all tasks of a test, as lines of JSON.
pub fn log() -> (Log, DefaultGuard) {
    test_support::log::keep_every_event();
    let log = Log::default();
    let streams = [log.clone(), log.clone()].map(|log| move || log.clone());
    let [out, err] = streams;
    let guard = set_default(telemetry::subscriber("info", LogFormat::Json, out, err).unwrap());
    (log, guard)
}

#[tokio::test]
async fn every_line_carries_the_invocations_id_and_its_trace() {
    let (log, _guard) = log();
    let served = serve(|_| async {
        info!("one");
        let inner = async { warn!("two") };
        tokio::spawn(inner.in_current_span()).await.unwrap();
        Err(InvocationFailure::new("three"))
    })
    .await;
    let mut invocation = tick();
    invocation.traceparent = Some(format!("00-{TRACE_ID}-00f067aa0ba902b7-01"));
    served.client.invoke(&invocation, None).await;
    let lines = log.lines();
    assert_eq!(messages(&lines), ["one", "two", "the pass failed: three"]);
    for line in lines {
        assert_eq!(line["spans"][0]["invocation_id"], invocation.id.to_string(), "{line}");
        assert_eq!(line["spans"][0]["trace_id"], TRACE_ID, "{line}");
    }
}

#[tokio::test]
async fn a_run_that_is_past_due_says_what_was_missed() {
    let (log, _guard) = log();
    let served = serve(|_| async { Ok(summary()) }).await;
    served.client.invoke(&timer(&json!({ "Next": "2026-09-24T12:09:00+00:00" }), true), None).await;
    let expected = "this invocation is past due: the pass of 2026-09-24T12:09:00+00:00 was missed";
    assert_eq!(messages(&log.lines()), [expected]);
}

#[tokio::test]
async fn a_request_that_is_not_understood_is_logged() {
    let (log, _guard) = log();
    let served = serve(|_| async { Ok(summary()) }).await;
    let mut invocation = tick();
    invocation.body = Value::Null;
    served.client.invoke(&invocation, None).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["level"], "WARN");
    assert!(messages(&lines)[0].contains("is not as expected"), "{lines:?}");
}

#[tokio::test]
async fn an_ordinary_run_logs_nothing_of_its_own() {
    let (log, _guard) = log();
    serve(|_| async { Ok(summary()) }).await.invoke().await;
    assert_eq!(log.lines(), [Value::Null; 0]);
}

pub fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["fields"]["message"].as_str()).collect()
}

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines of the scaler.
    pub fn lines(&self) -> Vec<Value> {
        let log = self.0.lock().unwrap();
        let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
