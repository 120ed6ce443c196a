//! Placeholders in the values of the worker's variables, such as `{{scaler.message_id}}`.
//!
//! They are filled from what the group itself is made from, so that its request stays the same, byte for byte. What a
//! placeholder is filled with is not looked at again, and every other brace is a brace.

use std::borrow::Cow;

const OPENING: &str = "{{scaler.";
const CLOSING: &str = "}}";

/// What may stand between the two.
const NAMES: [&str; 8] =
    ["message_id", "subscription", "sequence_number", "file_size_mb", "attempt", "max_attempts", "memory_gb", "cpu"];

/// How like a name another must be, from 0 to 1, to be what was meant.
const MIN_SIMILARITY: f64 = 0.6;

/// What a group's placeholders are filled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholders {
    pub(super) message_id: String,
    pub(super) subscription: String,
    pub(super) sequence_number: String,
    pub(super) file_size_mb: String,
    pub(super) attempt: String,
    pub(super) max_attempts: String,
    pub(super) memory_gb: String,
    pub(super) cpu: String,
}

/// A placeholder that there is not. It does not say which: the value may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected {}, and {CLOSING}, after {OPENING}{}", NAMES.join(", ").replace(", cpu", " or cpu"),
    meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
)]
pub struct UnknownPlaceholder {
    meant: Option<&'static str>,
}

impl Placeholders {
    /// A value with its placeholders filled.
    pub(crate) fn fill<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let (mut filled, mut rest) = (String::new(), value);
        while let Some(Found { before, name, after }) = find(rest) {
            filled.push_str(before);
            match self.named(name) {
                Some(value) => filled.push_str(value),
                // Settings are refused that have one like this.
                None => filled.extend([OPENING, name, CLOSING]),
            }
            rest = after;
        }
        if filled.is_empty() && rest.len() == value.len() {
            return Cow::Borrowed(value);
        }
        filled.push_str(rest);
        Cow::Owned(filled)
    }
}

impl Placeholders {
    fn named(&self, name: &str) -> Option<&str> {
        Some(match name {
            "message_id" => &self.message_id,
            "subscription" => &self.subscription,
            "sequence_number" => &self.sequence_number,
            "file_size_mb" => &self.file_size_mb,
            "attempt" => &self.attempt,
            "max_attempts" => &self.max_attempts,
            "memory_gb" => &self.memory_gb,
            "cpu" => &self.cpu,
            _ => return None,
        })
    }
}

/// Whether all placeholders of a value are known.
///
/// # Errors
/// The first that is not.
pub(crate) fn check(value: &str) -> Result<(), UnknownPlaceholder> {
    let mut rest = value;
    while let Some(Found { name, after, .. }) = find(rest) {
        if !NAMES.contains(&name) {
            let likeness = |known: &&str| strsim::normalized_damerau_levenshtein(known, &name.to_lowercase());
            let nearest = NAMES.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            return Err(UnknownPlaceholder { meant: nearest.filter(|known| likeness(known) >= MIN_SIMILARITY) });
        }
        rest = after;
    }
    Ok(())
}

/// The first placeholder of a text.
struct Found<'a> {
    before: &'a str,
    name: &'a str,
    after: &'a str,
}

fn find(text: &str) -> Option<Found<'_>> {
    let (before, rest) = text.split_once(OPENING)?;
    // One that does not end has no name that is known.
    let (name, after) = rest.split_once(CLOSING).unwrap_or((rest, ""));
    Some(Found { before, name: if rest.contains(CLOSING) { name } else { "" }, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(message_id: &str) -> Placeholders {
        Placeholders {
            message_id: message_id.into(),
            subscription: "601-1GB".into(),
            sequence_number: "7".into(),
            file_size_mb: "180.5".into(),
            attempt: "2".into(),
            max_attempts: "10".into(),
            memory_gb: "1.5".into(),
            cpu: "0.25".into(),
        }
    }

    #[test]
    fn every_name_that_is_accepted_is_filled() {
        for name in NAMES {
            let value = format!("{OPENING}{name}{CLOSING}");
            assert_ne!(placeholders("m1").fill(&value), value);
        }
    }

    #[test]
    fn each_placeholder_is_filled_wherever_it_stands_and_however_often() {
        for (value, filled) in [
            ("{{scaler.message_id}}", "m1"),
            ("{{scaler.subscription}}/{{scaler.sequence_number}}", "601-1GB/7"),
            ("{{scaler.file_size_mb}} MiB", "180.5 MiB"),
            ("{{scaler.attempt}} of {{scaler.max_attempts}}", "2 of 10"),
            ("-m{{scaler.memory_gb}}g -c{{scaler.cpu}}", "-m1.5g -c0.25"),
            ("{{scaler.attempt}}{{scaler.attempt}}", "22"),
        ] {
            assert_eq!((check(value), placeholders("m1").fill(value).as_ref()), (Ok(()), filled));
        }
    }

    #[test]
    fn every_other_brace_is_a_brace() {
        for literal in [
            "",
            "{}",
            "{{}}",
            "{{ scaler.attempt }}",
            "{{Scaler.attempt}}",
            "{scaler.attempt}",
            "{{scaler}}",
            "}}{{",
            "{\"a\": {}}",
        ] {
            assert_eq!((check(literal), placeholders("m1").fill(literal).as_ref()), (Ok(()), literal));
        }
        assert_eq!(
            placeholders("m1").fill("{{{scaler.attempt}}}"),
            "{{{scaler.attempt}}}".replace("{{scaler.attempt}}", "2")
        );
    }

    #[test]
    fn what_a_message_says_is_not_looked_at_again() {
        assert_eq!(placeholders("{{scaler.cpu}}").fill("{{scaler.message_id}}"), "{{scaler.cpu}}");
    }

    #[test]
    fn a_name_that_nobody_knows_is_an_error_with_what_was_meant_and_without_the_value() {
        let error = |value: &str| check(value).unwrap_err().to_string();
        let names = "message_id, subscription, sequence_number, file_size_mb, attempt, max_attempts, memory_gb or cpu";
        let expected = format!("expected {names}, and }}}}, after {{{{scaler.");
        assert_eq!(error("s3cr3t {{scaler.s3cr3t}}"), expected);
        for (value, meant) in [
            ("{{scaler.messageId}}", "message_id"),
            ("{{scaler.ATTEMPT}}", "attempt"),
            ("{{scaler.attempt }}", "attempt"),
            ("{{scaler.attempt}} {{scaler.memory}}", "memory_gb"),
        ] {
            assert_eq!(error(value), format!("{expected}; did you mean {meant}?"), "{value}");
        }
        for value in
            ["{{scaler.", "{{scaler.}}", "{{scaler.attempt", "{{scaler.attempt}", "{{scaler.{{scaler.attempt}}"]
        {
            assert!(check(value).is_err(), "{value}");
        }
    }
}
