//! The rules that are compared.

use std::time::Duration;

use aci_scaler::plan::Policy;

use crate::mixes::Mix;
use crate::settings::settings;

/// Who gets a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Every message that is due and has no active group.
    Plain,
    /// As with spares, but new messages get a group at once.
    LaterAttempts,
    /// As with spares, but any spare will do, however small.
    AnyMemory,
    /// The scaler's.
    Spares,
    /// As with spares, but messages wait for as long as it takes.
    Unbounded,
}

impl Rule {
    /// All of them, the plain one first.
    pub const ALL: [Self; 5] = [Self::Plain, Self::LaterAttempts, Self::AnyMemory, Self::Spares, Self::Unbounded];

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::LaterAttempts => "spares, later attempts only",
            Self::AnyMemory => "spares of any memory",
            Self::Spares => "**spares**",
            Self::Unbounded => "spares, unbounded",
        }
    }

    /// What the planner is told.
    pub fn policy(self, mix: &Mix) -> Policy {
        let mut settings = settings();
        settings.aci.max_instances = mix.cap;
        settings.aci.max_runtime = mix.max_runtime_minutes.map(Duration::from_mins);
        let mut policy = Policy::new(&settings);
        match self {
            Self::Plain => policy.rules.spare_wait = time::Duration::ZERO,
            Self::Unbounded => policy.rules.spare_wait = time::Duration::weeks(1000),
            Self::LaterAttempts | Self::AnyMemory | Self::Spares => {}
        }
        policy
    }
}
