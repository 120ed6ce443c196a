//! What reaches the process's streams, and on which.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, take_hook};
use std::sync::{Arc, Mutex};

use aci_scaler::telemetry::{self, INVOCATION_TARGET, LogFormat};
use tracing::subscriber::with_default;
use tracing::{Level, debug, error, error_span, event, info, trace, warn};
use tracing_subscriber::fmt::MakeWriter;

#[test]
fn a_level_goes_to_the_stream_that_the_host_reads_it_from() {
    let (out, err) = logged("trace", LogFormat::Text, || {
        trace!("one");
        debug!("two");
        info!("three");
        warn!("four");
        error!("five");
    });
    assert_eq!(messages(&out), ["one", "two", "three"]);
    assert_eq!(messages(&err), ["four", "five"]);
}

#[test]
fn only_a_warning_contains_the_word_by_which_the_host_tells_it_from_an_error() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let (_, err) = logged("info", format, || {
            warn!("the disc is nearly full");
            error!(hint = "Warnings came before", "WARN: the disc is full");
        });
        assert!(err[0].contains("WARN"), "{err:?}");
        assert!(!err[1].to_lowercase().contains("warn"), "{err:?}");
    }
}

#[test]
fn an_event_is_one_line_whatever_is_in_it() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let (out, err) = logged("info", format, || {
            info!(field = "a\nb", "c\r\nd");
            error!("e\nf");
        });
        assert_eq!((out.len(), err.len()), (1, 1), "{out:?} {err:?}");
    }
}

#[test]
fn a_panic_is_one_error_line_with_the_invocation_s_id() {
    // The hook is the process's. This is the only test here that sets it; the others do not panic.
    telemetry::log_panics();
    let (out, err) = logged("info", LogFormat::Text, || {
        let span = error_span!(target: INVOCATION_TARGET, "invocation", invocation_id = "f00");
        let work = AssertUnwindSafe(|| span.in_scope(|| panic!("first line\nsecond line")));
        let panicked = catch_unwind(work);
        assert!(panicked.is_err());
    });
    _ = take_hook();
    assert_eq!(out, [""; 0]);
    assert_eq!(err.len(), 1, "{err:?}");
    assert!(err[0].contains("ERROR invocation{invocation_id=\"f00\"}"), "{err:?}");
    assert!(err[0].contains(r"first line\nsecond line"), "{err:?}");
}

#[test]
fn no_directive_takes_the_invocation_s_id_from_a_line() {
    for directives in ["error", "telemetry=error", "off,telemetry=error", "aci_scaler=off,error"] {
        let (_, err) = logged(directives, LogFormat::Text, || {
            error_span!(target: INVOCATION_TARGET, "invocation", invocation_id = "f00").in_scope(|| error!("no"));
        });
        assert!(err[0].contains("f00"), "{directives}: {err:?}");
    }
}

#[test]
fn no_directive_lets_the_secrets_of_a_dependency_through() {
    for directives in
        ["trace", "azure_core=trace", "azure_core::http_client::reqwest=trace", "azure_core[{token}]=trace"]
    {
        let (out, err) = logged(directives, LogFormat::Text, || {
            event!(target: "azure_core::http_client::reqwest", Level::DEBUG, token = "hunter2", "request");
            event!(target: "azure_core", Level::INFO, token = "hunter2", "request");
            event!(target: "typespec_client_core::http", Level::INFO, token = "hunter2", "request");
            event!(target: "fe2o3_amqp::session", Level::TRACE, token = "hunter2", "frame");
            event!(target: "azure_core::http_client::reqwest", Level::WARN, token = "none", "a warning");
        });
        assert_eq!((out.len(), err.len()), (0, 1), "{directives}: {out:?} {err:?}");
    }
}

#[test]
fn a_crate_is_capped_by_its_whole_name() {
    let (out, _) = logged("trace", LogFormat::Text, || event!(target: "azure_core_of_ours", Level::TRACE, "fine"));
    assert_eq!(out.len(), 1);
}

#[test]
fn a_directive_that_makes_no_sense_is_named() {
    for (directives, culprit) in [
        ("verbose", "verbose"),
        ("info, aci_scaler=loud", "aci_scaler=loud"),
        ("info;debug", "info;debug"),
        ("debg,info", "debg"),
    ] {
        let error = telemetry::subscriber(directives, LogFormat::Text, io::sink, io::sink).err().expect(directives);
        assert_eq!(error.directive, culprit);
    }
}

#[test]
fn no_directive_means_info() {
    for directives in ["", "INFO", " info "] {
        let (out, _) = logged(directives, LogFormat::Text, || {
            debug!("no");
            info!("yes");
        });
        assert_eq!(messages(&out), ["yes"], "{directives:?}");
    }
}

#[test]
fn json_lines_hold_the_fields_of_the_spans_around_them() {
    let (out, _) = logged("info", LogFormat::Json, || {
        error_span!(target: INVOCATION_TARGET, "invocation", invocation_id = "f00")
            .in_scope(|| error_span!("inner").in_scope(|| info!(groups = 3, "done")));
    });
    let line: serde_json::Value = serde_json::from_str(&out[0]).unwrap();
    assert_eq!(line["fields"], serde_json::json!({ "event": "other", "message": "done", "groups": 3 }));
    assert_eq!(line["spans"][0]["invocation_id"], "f00");
}

/// The lines that `work` logs on the standard output and on the standard error.
fn logged(directives: &str, format: LogFormat, work: impl FnOnce()) -> (Vec<String>, Vec<String>) {
    test_support::log::keep_every_event();
    let (out, err) = (Buffer::default(), Buffer::default());
    with_default(telemetry::subscriber(directives, format, out.clone(), err.clone()).unwrap(), work);
    (out.lines(), err.lines())
}

/// What follows the time, the level and the target.
fn messages(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| Some(line.rsplit_once(": ")?.1)).collect()
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
