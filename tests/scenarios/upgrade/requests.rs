//! The requests for groups, which have to stay as they are: a running group whose request changes is started again.

use std::collections::BTreeMap;

use local_azure::resource_manager::OperationKind::PutGroup;

use super::fixture::{Fixture, Group};
use super::{LONG_AGO, failed, plant};
use crate::support::World;

#[tokio::test]
async fn the_requests_for_the_same_messages_are_byte_for_byte_those_of_the_version_before() {
    for fixture in Fixture::all_of("0.1") {
        let world = fixture.world().await;
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
            fixture.groups.iter().map(|group| (group.name.clone(), text(&group.body))).collect();
        assert_eq!(requests(&world), expected);
    }
}

/// The bodies of all PUTs, by the groups' names.
fn requests(world: &World) -> BTreeMap<String, String> {
    let calls = world.azure.resource_manager.calls().into_iter().filter(|call| call.kind == PutGroup);
    calls.map(|call| (call.name.unwrap(), text(&call.body))).collect()
}

fn text(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}
