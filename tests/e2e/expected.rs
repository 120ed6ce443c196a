//! What a message must lead to.

use std::fmt;

use aci_scaler::settings::Settings;
use rust_decimal::Decimal;

use crate::group::Group;

/// A message that was sent, and the subscription that must get it.
#[derive(Debug)]
pub struct Expected {
    pub id: String,
    pub file_size_mb: Decimal,
    pub subscription: String,
}

impl Expected {
    /// Checks the message's group: its tags, and its memory against the settings.
    pub fn check(&self, group: &Group, settings: &Settings) {
        let tag = |name: &str| group.tag(name).unwrap_or_else(|| panic!("{} has no tag {name}", group.name));
        assert_eq!(tag("managed_by"), settings.aci.name_prefix.as_str(), "{self}");
        assert_eq!(tag("subscription_name"), self.subscription, "{self}");
        assert_eq!(tag("file_size_mb").parse(), Ok(self.file_size_mb), "{self}");
        assert_eq!(group.memory_gb(), self.memory_gb(settings), "{self}");
    }

    /// The rule, implemented a second time: the smallest step is a tenth of a GB, and amounts are rounded up to it.
    fn memory_gb(&self, settings: &Settings) -> Decimal {
        let aci = &settings.aci;
        let tenths = self.file_size_mb * aci.memory_multiplier * Decimal::TEN / Decimal::from(1024);
        (tenths.ceil() / Decimal::TEN).clamp(aci.min_memory.to_decimal(), aci.max_memory.to_decimal())
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of {} MB in {}", self.id, self.file_size_mb, self.subscription)
    }
}
