//! Names of container groups.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The name of a container group, valid by Azure's rules: 1 to 63 lower-case letters, digits and single hyphens,
/// with no hyphen at either end.
///
/// Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// The longest name that Azure accepts.
    pub const MAX_CHARS: usize = 63;

    /// Accepts a name, and turns it into lower case, because Azure ignores the case of names.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        let name = name.to_ascii_lowercase();
        check(&name, Self::MAX_CHARS)?;
        Ok(Self(name.into()))
    }

    /// The start of the names of a message's groups, `{prefix}-{16 hex digits}`. The digits are from a SHA-256 of what
    /// identifies the message, so that creating its group twice is creating it once.
    pub(super) fn stem<'a>(prefix: &NamePrefix, parts: impl Iterator<Item = &'a str>) -> String {
        let mut hash = Sha256::new();
        for part in parts {
            // The lengths make sure that no two lists of parts hash the same bytes.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digits = hash.finalize().iter().take(8).fold(0_u64, |digits, byte| digits << 8 | u64::from(*byte));
        format!("{prefix}-{digits:016x}")
    }

    /// The name of a message's group at its nth attempt: `{prefix}-{16 hex digits}-{attempt}`.
    pub(super) fn of_attempt(stem: &str, attempt: u32) -> Self {
        Self(format!("{stem}-{attempt}").into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for GroupName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The start of the names of all groups of one scaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePrefix(String);

impl NamePrefix {
    /// The longest prefix: it leaves room for `-`, 16 digits, `-` and an attempt of up to three digits.
    pub const MAX_CHARS: usize = GroupName::MAX_CHARS - 21;

    /// Accepts a prefix.
    pub fn parse(prefix: &str) -> Result<Self, InvalidName> {
        check(prefix, Self::MAX_CHARS)?;
        Ok(Self(prefix.to_owned()))
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NamePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that Azure would refuse as a container group's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "1 to {max_chars} lower-case letters, digits and single hyphens are accepted, with a letter or digit at both ends"
)]
pub struct InvalidName {
    max_chars: usize,
}

/// Whether Azure accepts a name for a group, or for a container.
pub(super) fn is_valid(name: &str) -> bool {
    check(name, GroupName::MAX_CHARS).is_ok()
}

fn check(name: &str, max_chars: usize) -> Result<(), InvalidName> {
    let valid = (1..=max_chars).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    if valid { Ok(()) } else { Err(InvalidName { max_chars }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container_group::Recipe;
    use crate::message::MessageId;

    fn named(namespace: &str, subscription: &str, id: &str, location: &str, attempt: u32) -> String {
        let recipe = Recipe {
            namespace: namespace.into(),
            topic: "topic".into(),
            location: location.into(),
            ..crate::test_support::settings().recipe()
        };
        let stem = recipe.stem(&subscription.into(), &MessageId::new(id).unwrap());
        GroupName::of_attempt(&stem, attempt).as_str().to_owned()
    }

    #[test]
    fn the_same_message_always_gets_the_same_name() {
        // The name must never change: another one would give every message with a running group a second one after an update.
        assert_eq!(named("ns", "small", "m1", "westeurope", 1), named("NS", "Small", "m1", "WestEurope", 1));
        insta::assert_snapshot!(named("ns", "small", "m1", "westeurope", 1), @"worker-a1cd6326a88bc425-1");
    }

    #[test]
    fn whatever_differs_makes_another_name() {
        let names = [
            named("ns", "small", "m1", "westeurope", 1),
            named("ns2", "small", "m1", "westeurope", 1),
            named("ns", "smal", "lm1", "westeurope", 1),
            named("ns", "small", "M1", "westeurope", 1),
            named("ns", "small", "m1", "northeurope", 1),
            named("ns", "small", "m1", "westeurope", 2),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }

    #[test]
    fn the_longest_prefix_still_makes_a_valid_name() {
        let prefix = NamePrefix::parse(&"p".repeat(NamePrefix::MAX_CHARS)).unwrap();
        let recipe = Recipe { name_prefix: prefix, ..crate::test_support::settings().recipe() };
        let name = GroupName::of_attempt(&recipe.stem(&"s".into(), &MessageId::new("m").unwrap()), 999);
        assert_eq!(GroupName::parse(name.as_str()), Ok(name));
    }

    #[test]
    fn a_name_that_azure_refuses_is_refused() {
        for name in ["", "-a", "a-", "a--b", "a_b", "a/b", "..", "é", &"a".repeat(64)] {
            assert!(GroupName::parse(name).is_err(), "{name}");
        }
        assert_eq!(GroupName::parse("Worker-1").unwrap().as_str(), "worker-1");
    }
}
