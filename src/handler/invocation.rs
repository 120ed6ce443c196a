//! Reads the host's request. A pass runs whatever it contains.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use serde_json::Value;
use tracing::{Span, error_span, field, info, warn};

use crate::telemetry::INVOCATION_TARGET;

/// The parts of a request that are logged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    id: Option<String>,
    trace_id: Option<String>,
    timer: Result<Timer, String>,
}

/// The parts of the timer's value that are logged.
#[derive(Debug, PartialEq, Eq)]
struct Timer {
    past_due: bool,
    /// When the pass was due, as the host wrote it: some hosts write times that are not RFC 3339 (`0001-01-01T00:00:00`;
    /// azure-functions-host issue 7391).
    due: Option<String>,
}

impl Invocation {
    /// Reads a request; [`Invocation::log`] reports what could not be read.
    pub(super) fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            id: text("x-azure-functions-invocationid").map(str::to_owned),
            trace_id: text("traceparent").and_then(trace_id),
            timer: body.map_err(|rejection| rejection.body_text()).and_then(|body| Timer::parse(&body)),
        }
    }

    /// The fields of every log line of the invocation. It has the highest level, so that no setting drops it from an error's
    /// line.
    pub(super) fn span(&self) -> Span {
        let id = self.id.as_deref().unwrap_or("unknown");
        let span = error_span!(target: INVOCATION_TARGET, "invocation", invocation_id = id, trace_id = field::Empty);
        if let Some(trace_id) = &self.trace_id {
            span.record("trace_id", trace_id);
        }
        span
    }

    /// Logs what is unusual.
    pub(super) fn log(&self) {
        match &self.timer {
            Ok(Timer { past_due: true, due }) => {
                let due = due.as_deref().unwrap_or("an unknown time");
                info!(event = "past_due", "this invocation is past due: the pass of {due} was missed");
            }
            Ok(Timer { past_due: false, .. }) => {}
            Err(problem) => {
                warn!(
                    event = "odd_request",
                    "the host's request is not as expected, and a pass runs anyway: {problem}"
                );
            }
        }
    }
}

/// Logs an invocation with these headers and this body, and a line of the pass.
#[cfg(fuzzing)]
pub(super) fn log(id: &str, trace_parent: &str, body: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-azure-functions-invocationid", id), ("traceparent", trace_parent)] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    let invocation = Invocation::read(&headers, Ok(Bytes::copy_from_slice(body)));
    let _entered = invocation.span().entered();
    invocation.log();
    info!("a pass");
}

impl Timer {
    /// The timer binding's value can have any name, and unknown members.
    fn parse(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let bindings = body.get("Data").and_then(Value::as_object).ok_or("it has no Data")?;
        let timer = bindings.values().find(|value| value.get("IsPastDue").is_some()).ok_or("it has no timer")?;
        Ok(Self {
            past_due: timer["IsPastDue"].as_bool().unwrap_or(false),
            due: timer["ScheduleStatus"]["Next"].as_str().map(str::to_owned),
        })
    }
}

/// The trace id of a W3C `traceparent`, `00-{trace id}-{span id}-{flags}`; in Application Insights the operation's id.
fn trace_id(traceparent: &str) -> Option<String> {
    let id = traceparent.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn timer(body: &Value) -> Result<Timer, String> {
        Timer::parse(body.to_string().as_bytes())
    }

    #[test]
    fn a_time_in_no_standard_form_is_passed_on_as_it_is() {
        let status = json!({ "Last": "0001-01-01T00:00:00", "Next": "0001-01-01T00:00:00", "LastUpdated": "soon" });
        let body = json!({ "Data": { "timer": { "IsPastDue": true, "ScheduleStatus": status } } });
        assert_eq!(timer(&body), Ok(Timer { past_due: true, due: Some("0001-01-01T00:00:00".to_owned()) }));
    }

    #[test]
    fn a_timer_is_found_under_any_name_and_among_anything() {
        let tick = json!({ "Schedule": null, "ScheduleStatus": null, "IsPastDue": false, "New": 1 });
        let body = json!({ "Data": { "other": 7, "tick": tick }, "Metadata": null, "New": [] });
        assert_eq!(timer(&body), Ok(Timer { past_due: false, due: None }));
    }

    #[test]
    fn a_body_without_a_timer_says_what_it_lacks() {
        assert_eq!(timer(&json!(null)), Err("it has no Data".to_owned()));
        assert_eq!(timer(&json!({ "Data": {} })), Err("it has no timer".to_owned()));
        assert!(Timer::parse(b"{").is_err());
    }

    #[test]
    fn a_trace_id_is_thirty_two_hexadecimal_digits_or_nothing() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        assert_eq!(trace_id("00-4bf9-00f067aa0ba902b7-01"), None);
        assert_eq!(trace_id(""), None);
    }
}
