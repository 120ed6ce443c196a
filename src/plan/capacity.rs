//! How full the cap is.

use serde::Serialize;

/// The cap, and how much of it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// Most active groups at a time.
    pub max: u32,
    /// Groups that are active.
    pub active: u32,
}

impl Capacity {
    /// Slots that are free.
    pub fn free(self) -> u32 {
        self.max.saturating_sub(self.active)
    }
}
