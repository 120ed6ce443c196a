//! Checks of the settings themselves.

use super::finding::Finding;
use crate::container_group::Registry;
use crate::settings::{Environment, Settings};

/// The setting with the schedule, if `function.json` refers to one.
const SCHEDULE: &str = "SCALE_SCHEDULE";

pub(super) fn findings(settings: &Settings, environment: &impl Environment) -> Vec<Finding> {
    [Some(image(settings)), Some(deadline(settings)), schedule(environment)].into_iter().flatten().collect()
}

/// Whether the credentials are for the image's registry.
fn image(settings: &Settings) -> Finding {
    let image = &settings.aci.image;
    let host = image.split_once('/').map(|(host, _)| host).filter(|host| host.contains(['.', ':']));
    let what = "image";
    match (&settings.registry, host) {
        (Some(Registry::Password { server, .. } | Registry::Identity { server, .. }), Some(host))
            if !server.eq_ignore_ascii_case(host) =>
        {
            let found = format!("{image} is in {host}, and the credentials are for {server}");
            Finding::failure(what, found, "Set ACR_SERVER to the image's registry.")
        }
        (None, Some(host)) if host.ends_with(".azurecr.io") => {
            let found = format!("{image} is in {host}, and there are no credentials for it");
            Finding::warning(what, found, "Set ACR_SERVER and ACR_IDENTITY, unless the image is public.")
        }
        _ => Finding::ok(what, format!("{image}; whether it exists shows when a group pulls it")),
    }
}

/// A pass creates groups only in the first three quarters of a back-off.
fn deadline(settings: &Settings) -> Finding {
    let (deadline, backoff) =
        (settings.processing.pass_deadline.as_secs(), settings.processing.retry_backoff.as_secs());
    let found = format!("a pass may take {deadline} s, and creates groups in the first {} s of it", backoff * 3 / 4);
    if backoff > 0 && backoff < 30 {
        let to_do = "Set a higher PROVISIONING_RETRY_BACKOFF_SECONDS: reading alone may take that long.";
        return Finding::warning("deadline", found, to_do);
    }
    let found = if backoff == 0 { format!("a pass may take {deadline} s") } else { found };
    Finding::ok("deadline", found)
}

/// The host does not report a schedule that it does not understand; it just never calls.
fn schedule(environment: &impl Environment) -> Option<Finding> {
    let schedule = environment.get(SCHEDULE).filter(|schedule| !schedule.trim().is_empty())?;
    let fields: Vec<_> = schedule.split_whitespace().collect();
    let is_field = |field: &str| field.chars().all(|c| c.is_ascii_alphanumeric() || "*/,-".contains(c));
    if (5..=6).contains(&fields.len()) && fields.iter().all(|field| is_field(field)) {
        return Some(Finding::ok("schedule", format!("{SCHEDULE} is {schedule}")));
    }
    let found = format!("{SCHEDULE} is {schedule}, which does not have the 6 fields of an NCRONTAB expression");
    let to_do = "The host never calls the function with it: set one such as 0 * * * * * for once a minute.";
    Some(Finding::failure("schedule", found, to_do))
}
