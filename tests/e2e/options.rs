//! The test's own variables.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use aci_scaler::settings::Environment;
use rust_decimal::Decimal;

/// A day: more than any container group should take.
const MAX_SECONDS: f64 = 86_400.0;

#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The file that the messages are made from.
    pub message_path: PathBuf,
    /// The messages: their file sizes in MiB, and the subscriptions that must get them.
    pub messages: Vec<(Decimal, String)>,
    /// The time-out of each step.
    pub timeout: Duration,
    /// The pause between polls.
    pub poll_interval: Duration,
}

/// Everything that is wrong with the variables.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the test's variables are wrong:\n  {}", .0.join("\n  "))]
pub struct OptionsError(Vec<String>);

impl Options {
    /// Reads the variables. The default time-outs are short on the local Azure, where everything is fast.
    pub fn from_environment(environment: &impl Environment, is_local: bool) -> Result<Self, OptionsError> {
        let value = |name: &str, default: &str| environment.get(name).unwrap_or_else(|| default.to_owned());
        let mut errors = Vec::new();
        let sizes = list(&value("E2E_FILE_SIZES", "50,180,500,1024"));
        let sizes = sizes.iter().filter_map(|text| noted(&mut errors, size(text))).collect::<Vec<_>>();
        let subscriptions = list(&value("E2E_EXPECTED_SUBSCRIPTIONS", "1-50MB,51-200MB,201-600MB,601-1GB"));
        if errors.is_empty() && (sizes.is_empty() || sizes.len() != subscriptions.len()) {
            errors.push(format!(
                "E2E_FILE_SIZES has {} values and E2E_EXPECTED_SUBSCRIPTIONS has {}: one of each is needed for every \
                 message",
                sizes.len(),
                subscriptions.len()
            ));
        }
        let (timeout, interval) = if is_local { ("60", "0.1") } else { ("900", "10") };
        let mut seconds = |name: &str, default| noted(&mut errors, seconds(name, &value(name, default)));
        let timeout = seconds("E2E_TIMEOUT_SECONDS", timeout);
        let poll_interval = seconds("E2E_POLL_INTERVAL_SECONDS", interval);
        match (timeout, poll_interval) {
            (Some(timeout), Some(poll_interval)) if errors.is_empty() => Ok(Self {
                message_path: value(
                    "TEST_MESSAGE_JSON_PATH",
                    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/integration_message.json"),
                )
                .into(),
                messages: sizes.into_iter().zip(subscriptions).collect(),
                timeout,
                poll_interval,
            }),
            _ => Err(OptionsError(errors)),
        }
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn size(text: &str) -> Result<Decimal, String> {
    let size = Decimal::from_str(text).ok().filter(|size| !size.is_sign_negative());
    size.ok_or_else(|| format!("E2E_FILE_SIZES: `{text}` is no number of MB from 0 up"))
}

fn seconds(name: &str, text: &str) -> Result<Duration, String> {
    let seconds = text.trim().parse().ok().filter(|seconds| *seconds > 0.0 && *seconds <= MAX_SECONDS);
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("{name}: `{text}` is no number of seconds above 0 and up to {MAX_SECONDS}"))
}

fn noted<T>(errors: &mut Vec<String>, result: Result<T, String>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

mod tests {
    use test_support::environment::variables;

    use super::{Environment, Options};

    fn options(pairs: &[(&str, &str)]) -> Result<Options, String> {
        let environment = variables(pairs);
        assert_eq!(environment.names().len(), pairs.len());
        Options::from_environment(&environment, false).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_a_message_for_each_subscription() {
        let options = options(&[]).unwrap();
        let messages: Vec<_> = options.messages.iter().map(|(size, name)| format!("{size} {name}")).collect();
        assert_eq!(messages, ["50 1-50MB", "180 51-200MB", "500 201-600MB", "1024 601-1GB"]);
        assert_eq!((options.timeout.as_secs(), options.poll_interval.as_secs()), (900, 10));
        assert!(options.message_path.is_file());
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let pairs =
            [("E2E_FILE_SIZES", "50,large,-1"), ("E2E_TIMEOUT_SECONDS", "soon"), ("E2E_POLL_INTERVAL_SECONDS", "0")];
        assert_eq!(
            options(&pairs).unwrap_err(),
            "the test's variables are wrong:\n  \
             E2E_FILE_SIZES: `large` is no number of MB from 0 up\n  \
             E2E_FILE_SIZES: `-1` is no number of MB from 0 up\n  \
             E2E_TIMEOUT_SECONDS: `soon` is no number of seconds above 0 and up to 86400\n  \
             E2E_POLL_INTERVAL_SECONDS: `0` is no number of seconds above 0 and up to 86400"
        );
    }

    #[test]
    fn sizes_and_subscriptions_that_are_not_as_many_are_refused() {
        let error = options(&[("E2E_FILE_SIZES", "50, 180")]).unwrap_err();
        assert!(error.contains("E2E_FILE_SIZES has 2 values and E2E_EXPECTED_SUBSCRIPTIONS has 4"), "{error}");
        let error = options(&[("E2E_FILE_SIZES", ""), ("E2E_EXPECTED_SUBSCRIPTIONS", "")]).unwrap_err();
        assert!(error.contains("has 0 values"), "{error}");
    }
}
