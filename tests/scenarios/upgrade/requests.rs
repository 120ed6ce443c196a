//! The requests for groups, which have to stay as they are: a running group whose request changes is started again.

use std::collections::BTreeMap;

use local_azure::resource_manager::OperationKind::PutGroup;

use super::fixture::{Fixture, Group};
use super::{LONG_AGO, failed, plant};
use crate::support::World;

#[tokio::test]
async fn the_requests_for_the_same_messages_are_byte_for_byte_those_of_the_version_before_but_for_the_new_tag() {
    for fixture in Fixture::all_of("0.1") {
        let mut world = fixture.world().await;
        // Then it was by its name that a variable was secret.
        world.set("ACI_PLAIN_ENV", plain_variables(&fixture).join(","));
        fixture.send_all(&world);
        world.pass().await;
        let most_attempts = fixture.groups.iter().map(Group::attempt).max().unwrap();
        for attempt in 2..=most_attempts {
            // Where there was a next attempt, this one has failed.
            let next = fixture.attempt(attempt);
            let has_next = |id: &str| next.iter().any(|group| group.message_id() == id);
            let followed = fixture.attempt(attempt - 1).into_iter().filter(|group| has_next(group.message_id()));
            plant(&world, followed.map(|group| group.shown(failed(LONG_AGO))));
            world.pass().await;
        }
        let expected: BTreeMap<_, _> =
            fixture.groups.iter().map(|group| (group.name.clone(), with_our_own_tag(group))).collect();
        assert_eq!(requests(&world), expected);
    }
}

/// The container's variables that anybody could read, but for the one with the subscription's name.
fn plain_variables(fixture: &Fixture) -> Vec<&str> {
    let subscription_variable = &fixture.settings["INSTANCE_SUBSCRIPTION_ENV_NAME"];
    let variables = fixture.groups[0].variables().iter();
    let plain = variables.filter(|variable| variable.get("value").is_some());
    plain.map(|variable| variable["name"].as_str().unwrap()).filter(|name| name != subscription_variable).collect()
}

/// The bodies of all PUTs, by the groups' names.
fn requests(world: &World) -> BTreeMap<String, String> {
    let calls = world.azure.resource_manager.calls().into_iter().filter(|call| call.kind == PutGroup);
    calls.map(|call| (call.name.unwrap(), text(&call.body))).collect()
}

/// A body as it is now, since groups have a tag that nobody else has a use for.
fn with_our_own_tag(group: &Group) -> String {
    let prefix = group.name.rsplitn(3, '-').last().unwrap();
    text(&group.body).replacen(r#""tags":{"#, &format!(r#""tags":{{"aci_scaler":"{prefix}","#), 1)
}

fn text(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}
