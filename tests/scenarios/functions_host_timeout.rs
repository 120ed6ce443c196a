//! The Functions host's patience: it kills a handler whose function takes too long, 2 s after its `functionTimeout`.

use std::path::Path;
use std::time::Duration;

use local_azure::function_app::FunctionApp;
use local_azure::functions_host::Outcome;
use local_azure::resource_manager::Fault;
use local_azure::resource_manager::OperationKind::{self, DeleteGroup, GetGroup, GetLogs, ListGroups, PutGroup};
use tokio::time::Instant;

use crate::support::{World, messages};

/// The scaler under a host that gives its function this many seconds.
async fn start(world: &World, function_timeout_seconds: u32) -> FunctionApp {
    let mut settings = world.environment.clone();
    let timeout = format!("00:00:{function_timeout_seconds:02}");
    settings.insert("AzureFunctionsJobHost__functionTimeout".to_owned(), timeout);
    let scaler = Path::new(env!("CARGO_BIN_EXE_aci-scaler"));
    FunctionApp::start(scaler, settings, |config| config).await.unwrap()
}

async fn invoke(app: &FunctionApp) -> Outcome {
    app.host.invoke(&app.host.invocation("ScaleTimer").await.unwrap()).await
}

#[tokio::test]
async fn a_pass_with_a_slow_resource_manager_ends_by_its_own_deadline_before_the_host_kills_it() {
    let mut world = World::new(&["a"]).await;
    world.set("PASS_DEADLINE_SECONDS", "10");
    world.set("PROVISIONING_MAX_WORKERS", "4");
    world.send("a", messages("m", 100));
    let slow = [(ListGroups, 1000), (GetGroup, 300), (PutGroup, 600)];
    for (kind, millis) in slow {
        world.azure.resource_manager.inject(Fault::always(kind).delays(Duration::from_millis(millis)));
    }
    // A request that is never answered holds up its worker to the end.
    world.azure.resource_manager.inject(Fault::once(PutGroup).sparing_first(5).hangs());
    let app = start(&world, 13).await;
    let start = Instant::now();
    let outcome = invoke(&app).await;
    let Outcome::Succeeded { return_value, .. } = outcome else { panic!("{:#?}", app.host.records().all()) };
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    let of = |outcome: &str| return_value["message_counts"][outcome].as_u64().unwrap_or_default();
    assert_eq!((of("created") + of("waiting_deadline"), of("failed")), (99, 1), "{return_value:#}");
    assert!(of("created") > 0 && of("waiting_deadline") > 0, "{return_value:#}");

    world.azure.resource_manager.clear_faults();
    let outcome = invoke(&app).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    world.until_all_are_running().await;
    // The message whose create was not answered is backing off.
    world.assert_each_had_one_group(99);
    app.host.stop().await;
}

#[tokio::test]
async fn after_the_host_has_killed_the_scaler_the_next_invocation_finishes_the_work() {
    let killed = |kind, after_effect| async move { assert_next_one_finishes(kind, after_effect).await };
    tokio::join!(
        killed(PutGroup, false),
        killed(PutGroup, true),
        killed(GetLogs, false),
        killed(DeleteGroup, false),
        killed(DeleteGroup, true),
    );
}

/// A request is not answered until the host kills the scaler; `after_effect` says whether Azure carries it out first.
async fn assert_next_one_finishes(kind: OperationKind, after_effect: bool) {
    let world = World::new(&["a"]).await;
    // Long enough for a pass on a busy machine.
    let app = start(&world, 3).await;
    world.send("a", messages("m", 3));
    assert!(matches!(invoke(&app).await, Outcome::Succeeded { .. }));
    world.until_all_are_running().await;
    for id in ["m1", "m2"] {
        world.serve(&world.group_of(id));
    }
    world.send("a", messages("n", 3));
    let trigger = Fault::once(kind).sparing_first(1);
    let trigger = if after_effect { trigger.after_effect() } else { trigger };
    world.azure.resource_manager.inject(trigger.hangs());

    assert_eq!(invoke(&app).await, Outcome::TimedOut, "{kind:?}");
    // Were it the same process, it would leave the work to the pass that hangs.
    let Outcome::Succeeded { return_value, .. } = invoke(&app).await else { panic!("{:#?}", app.host.records().all()) };
    assert_eq!(return_value["group_counts"]["delete_failed"], serde_json::Value::Null, "{return_value:#}");
    world.until_all_are_running().await;
    let messages: Vec<_> =
        world.groups().into_iter().map(|mut group| group.tags.remove("message_id").unwrap()).collect();
    assert_eq!(messages.len(), 4, "those of m3 and the three new ones are there, and no other: {messages:?}");
    world.assert_each_had_one_group(6);
    app.host.stop().await;
}
