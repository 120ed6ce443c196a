//! Names and tags of groups: always valid, and never those of another message's group.

#![no_main]

use std::sync::Arc;

use aci_scaler::container_group::{GroupName, Job, Recipe};
use aci_scaler::message::{FileSizeMb, MessageId, SubscriptionName};
use aci_scaler::settings::Settings;
use aci_scaler_fuzz::{byte, environment, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let messages = [message(&mut input), message(&mut input)];
    let attempt = u32::from(byte(&mut input)).max(1);
    let recipe = recipe();
    let [Some(one), Some(other)] = messages.map(|message| {
        let (subscription, message_id, size) = message;
        let (message_id, file_size) = (MessageId::new(message_id).ok()?, FileSizeMb::from_text(&size).ok()?);
        Some(Job {
            subscription: SubscriptionName::new(subscription),
            sequence_number: 1,
            message_id,
            file_size,
            attempt,
            attempts_before: 0,
            ran_out_of: None,
        })
    }) else {
        return;
    };
    let specs = [recipe.group_for(&one), recipe.group_for(&other)];
    for spec in &specs {
        assert!(GroupName::parse(spec.name.as_str()).is_ok_and(|name| name == spec.name), "{}", spec.name);
        for (name, value) in &spec.tags {
            // A subscription's name is Azure's, and has at most 50 characters there.
            let is_long = value.chars().count() > 256 && *name != "subscription_name";
            assert!(!is_long, "{name}: {value}");
        }
        assert!(spec.memory >= recipe.min_memory && spec.memory <= recipe.max_memory);
    }
    let is_same = one.subscription == other.subscription && one.message_id == other.message_id;
    assert_eq!(is_same, specs[0].name == specs[1].name);
});

fn message(input: &mut &[u8]) -> (String, String, String) {
    (text(input), text(input), text(input))
}

fn recipe() -> Arc<Recipe> {
    let settings = Settings::from_environment(&environment()).expect("they are accepted");
    Arc::new(settings.recipe())
}
