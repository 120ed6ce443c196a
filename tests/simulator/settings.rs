//! The settings that simulations begin with.

use aci_scaler::settings::Settings;
use test_support::environment;

/// Settings with no more than what is required, and a subscription that is skipped.
pub fn settings() -> Settings {
    Settings::from_environment(&environment::with(&[("SKIP_SUBSCRIPTIONS", "skipped")])).expect("they are accepted")
}
