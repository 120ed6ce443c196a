//! Which scaler a container group belongs to.
//!
//! `managed_by` is a common governance tag, which policies rewrite. Only the scaler uses `aci_scaler`, so that tag decides if it
//! is present. A group that has lost both is known by its name.

use super::{GroupName, NamePrefix, tag};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Tagged with `aci_scaler`.
    Tagged,
    /// Of an earlier version, or of the Python scaler: tagged with `managed_by`, and with its message's id.
    TaggedByEarlierVersion,
    /// Its name has the scaler's form, but its tags are not the scaler's. It counts towards the cap, and is never deleted or
    /// tagged.
    Untagged,
    /// It belongs to somebody else.
    Foreign,
}

impl Ownership {
    /// Whether a group belongs to the scaler with this prefix.
    pub fn of<'a>(prefix: &NamePrefix, name: &str, tag: impl Fn(&str) -> Option<&'a str>) -> Self {
        let names_us = |value: &str| value.eq_ignore_ascii_case(prefix.as_str());
        match tag(tag::ACI_SCALER) {
            Some(value) if names_us(value) => return Self::Tagged,
            Some(_) => return Self::Foreign,
            None => {}
        }
        if tag(tag::MANAGED_BY).is_some_and(names_us) && tag(tag::MESSAGE_ID).is_some() {
            return Self::TaggedByEarlierVersion;
        }
        let is_named_by_us = GroupName::parse(name).is_ok_and(|name| prefix.stem_and_attempt(&name).is_some());
        if is_named_by_us { Self::Untagged } else { Self::Foreign }
    }
}

impl NamePrefix {
    /// The parts of a name that has the scaler's form: the stem, which all attempts at a message share, and the attempt.
    pub(crate) fn stem_and_attempt<'a>(&self, name: &'a GroupName) -> Option<(&'a str, u32)> {
        let (stem, attempt) = name.as_str().rsplit_once('-')?;
        let digits = stem.strip_prefix(self.as_str())?.strip_prefix('-')?;
        let is_digest = digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let attempt = attempt.parse().ok().filter(|attempt| (1..1000).contains(attempt))?;
        is_digest.then_some((stem, attempt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, tags: &[(&str, &str)]) -> Ownership {
        let find = |key: &str| tags.iter().find(|(have, _)| *have == key).map(|(_, value)| *value);
        Ownership::of(&NamePrefix::parse("worker").unwrap(), name, find)
    }

    const OURS: &str = "worker-0123456789abcdef-12";

    #[test]
    fn our_own_tag_decides_where_it_is_present() {
        assert_eq!(of("anything", &[("aci_scaler", "worker"), ("managed_by", "the-policy")]), Ownership::Tagged);
        assert_eq!(of(OURS, &[("aci_scaler", "other"), ("managed_by", "worker")]), Ownership::Foreign);
    }

    #[test]
    fn without_it_managed_by_counts_only_beside_a_message_id() {
        let message = ("message_id", "m1");
        assert_eq!(of("aci-1", &[("managed_by", "worker"), message]), Ownership::TaggedByEarlierVersion);
        assert_eq!(of("aci-1", &[("managed_by", "worker")]), Ownership::Foreign);
        assert_eq!(of("aci-1", &[("managed_by", "other"), message]), Ownership::Foreign);
    }

    #[test]
    fn a_group_of_neither_tag_is_known_by_the_form_of_its_name() {
        assert_eq!(of(OURS, &[]), Ownership::Untagged);
        assert_eq!(of(OURS, &[("managed_by", "the-policy")]), Ownership::Untagged);
        for foreign in [
            "worker-0123456789abcdef",
            "worker-0123456789abcdeg-1",
            "worker-0123456789abcde-1",
            "worker-0123456789abcdef-0",
            "worker-0123456789abcdef-1000",
            "workers-0123456789abcdef-1",
            "other-0123456789abcdef-1",
        ] {
            assert_eq!(of(foreign, &[]), Ownership::Foreign, "{foreign}");
        }
    }
}
