//! The line that replaces dropped lines.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use tracing::{Level, info, warn};

use super::{LogFormat, subscriber};
use crate::sync::Mutex;

/// The line that replaces `missing` lines. It is not filtered, so that no line is dropped silently.
pub(super) fn line(missing: usize, format: LogFormat, level: Level) -> Vec<u8> {
    let line = Line::default();
    let [out, err] = [line.clone(), line.clone()].map(|line| move || line.clone());
    let subscriber = subscriber("info", format, out, err).expect("the directive is a constant");
    tracing::subscriber::with_default(subscriber, || {
        if level == Level::WARN {
            warn!(
                event = "lines_missing",
                lines = missing,
                "log lines are missing here, because nothing read them in time"
            );
        } else {
            info!(
                event = "lines_missing",
                lines = missing,
                "log lines are missing here, because nothing read them in time"
            );
        }
    });
    mem::take(&mut line.0.lock())
}

#[derive(Clone, Default)]
struct Line(Arc<Mutex<Vec<u8>>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_line_of_its_stream_in_the_form_of_the_others() {
        let text = |level| String::from_utf8(line(3, LogFormat::Text, level)).unwrap();
        let said =
            "aci_scaler::telemetry::missing: log lines are missing here, because nothing read them in time lines=3\n";
        assert!(text(Level::WARN).ends_with(&format!(" WARN {said}")), "{}", text(Level::WARN));
        assert!(text(Level::INFO).ends_with(&format!(" INFO {said}")), "{}", text(Level::INFO));
        let json: serde_json::Value = serde_json::from_slice(&line(3, LogFormat::Json, Level::INFO)).unwrap();
        assert_eq!(json["fields"]["lines"], 3);
    }
}
