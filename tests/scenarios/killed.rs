//! SIGKILL at defined moments: while the scaler waits for an answer that never comes. Whatever it was doing, the next process
//! finds everything that it needs to know, duplicates nothing and loses nothing.

use std::collections::BTreeSet;

use local_azure::functions_host::Outcome;
use local_azure::resource_manager::Fault;
use local_azure::resource_manager::OperationKind::{self, DeleteGroup, GetGroup, GetLogs, PutGroup};
use local_azure::service_bus::{self, Call, Effect, Operation};

use crate::served::Served;
use crate::support::{World, messages, until};

/// A request that is not answered.
struct Unanswered {
    kind: OperationKind,
    /// Only of this group.
    group: Option<String>,
    /// How many of these requests are answered before it.
    spared: u32,
    /// Whether Azure carries it out.
    after_effect: bool,
}

#[tokio::test]
async fn a_scaler_that_is_killed_while_it_deletes_doubles_nothing_and_loses_nothing() {
    for (kind, spared, after_effect) in [
        (GetLogs, 0, false),
        (GetLogs, 0, true),
        // The first GET of a group shows that it has ended; the second one is right before the delete.
        (GetGroup, 1, false),
        (DeleteGroup, 0, false),
        (DeleteGroup, 0, true),
    ] {
        let world = busy_world().await;
        let group = Some(world.group_of("m2").name);
        let log = kill_at(&world, Unanswered { kind, group, spared, after_effect }).await;
        assert_all_ends_well(&world, log).await;
    }
}

#[tokio::test]
async fn a_scaler_that_is_killed_while_it_creates_doubles_nothing_and_loses_nothing() {
    // Each of the six groups is read once; the seventh GET is the one right before a group is created.
    for (kind, spared, after_effect) in
        [(GetGroup, 6, false), (PutGroup, 0, false), (PutGroup, 0, true), (PutGroup, 1, true)]
    {
        let world = busy_world().await;
        let log = kill_at(&world, Unanswered { kind, group: None, spared, after_effect }).await;
        assert_all_ends_well(&world, log).await;
    }
}

#[tokio::test]
async fn a_scaler_that_is_killed_while_it_peeks_has_changed_nothing_and_loses_nothing() {
    for (operation, spared) in [
        (Operation::Connect, 0),
        (Operation::PutToken, 0),
        (Operation::Attach, 0),
        (Operation::Attach, 3),
        (Operation::Peek, 0),
        (Operation::Peek, 1),
        (Operation::Peek, 3),
    ] {
        let mut world = busy_world().await;
        world.set("PROVISIONING_PEEK_MAX", "1");
        let changes = |world: &World| [PutGroup, DeleteGroup].map(|kind| world.calls(kind).len());
        let before = changes(&world);
        let log = kill_while(&world, operation, spared).await;
        assert_eq!(changes(&world), before, "nothing is decided before everything is read");
        assert_all_ends_well(&world, log).await;
    }
}

/// The groups of `m1` to `m4` have served their messages, those of `m5` and `n1` are at work, `m6` and `n2` have none yet.
async fn busy_world() -> World {
    let world = World::new(&["a", "b"]).await;
    world.send("a", messages("m", 5));
    world.send("b", messages("n", 1));
    world.pass().await;
    world.until_all_are_running().await;
    for id in ["m1", "m2", "m3", "m4"] {
        world.serve(&world.group_of(id));
    }
    world.send("a", messages("m", 6).split_off(5));
    world.send("b", messages("n", 2).split_off(1));
    world
}

/// Starts a scaler, lets it make a pass, kills it while it waits for the answer to this request, and returns its log.
async fn kill_at(world: &World, request: Unanswered) -> String {
    let Unanswered { kind, group, spared, after_effect } = request;
    let asked = || world.calls(kind).into_iter().filter(|name| group.as_ref().is_none_or(|of| of == name)).count();
    let before = asked();
    let mut trigger = Fault::once(kind).sparing_first(spared);
    if let Some(group) = &group {
        trigger = trigger.named(group);
    }
    if after_effect {
        trigger = trigger.after_effect();
    }
    world.azure.resource_manager.inject(trigger.hangs());
    kill_when(world, || asked() > before + spared as usize).await
}

/// The same, while it waits for Service Bus.
async fn kill_while(world: &World, operation: Operation, spared: u32) -> String {
    world.azure.service_bus.clear_call_log();
    let fault = service_bus::Fault::new(operation, Effect::Hang).sparing_first(spared).times(1);
    world.azure.service_bus.inject(fault);
    let is_asked = |call: &Call| match operation {
        Operation::Connect => matches!(call, Call::Connect),
        Operation::PutToken => matches!(call, Call::PutToken { .. }),
        Operation::Attach => matches!(call, Call::Attach { address, .. } if address != "$cbs"),
        Operation::Peek => matches!(call, Call::Peek { .. }),
        Operation::Send => matches!(call, Call::Send { .. }),
    };
    let asked = || world.azure.service_bus.call_log().into_iter().filter(is_asked).count();
    kill_when(world, || asked() > spared as usize).await
}

async fn kill_when(world: &World, is_time: impl Fn() -> bool) -> String {
    let scaler = Served::start(world).await;
    let pass = scaler.begin_pass();
    until("the scaler waits for the answer", is_time).await;
    let log = scaler.kill().await;
    let outcome = pass.await.unwrap();
    assert!(matches!(outcome, Outcome::Failed { .. }), "it was killed in the middle of the pass: {outcome:?}");
    log
}

/// Another process serves what is left. In the end each of the eight messages has had one group, whose container ran once,
/// and which was deleted after its last lines had been logged.
async fn assert_all_ends_well(world: &World, mut log: String) {
    world.azure.resource_manager.clear_faults();
    world.azure.service_bus.clear_faults();
    let scaler = Served::start(world).await;
    scaler.pass().await;
    world.until_all_are_running().await;
    assert_eq!(world.groups().len(), 4, "what had ended is gone, and what waited is served: {:#?}", world.groups());
    for group in world.groups() {
        world.serve(&group);
    }
    scaler.pass().await;
    assert_eq!(world.groups(), []);
    log += &scaler.kill().await;

    world.assert_each_had_one_group(8);
    for name in world.calls(DeleteGroup).into_iter().collect::<BTreeSet<_>>() {
        let logged = log.lines().any(|line| line.contains("last_lines=") && line.contains(&name));
        assert!(logged, "the last words of {name} are in\n{log}");
        let calls = world.azure.resource_manager.calls();
        let of_group =
            |kind| calls.iter().filter(move |call| call.kind == kind).filter(|call| call.name.as_ref() == Some(&name));
        let read = of_group(GetLogs).find(|call| call.status == Some(200)).expect("its log was read");
        assert!(of_group(DeleteGroup).all(|delete| read.at <= delete.at), "{name} went before its log was read");
    }
}
