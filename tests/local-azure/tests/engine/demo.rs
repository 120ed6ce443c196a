//! The scaler's main job with a real image, from the first message to the last container group.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_azure::demo::{Demo, Story};
use local_azure::function_app::build_scaler;

use crate::support::{engine, with_libraries};

const IMAGE: &str = "aci-scaler-tests/worker:1";

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_serves_every_message_with_an_image_that_an_engine_runs() {
    _ = rustls::crypto::ring::default_provider().install_default();
    let Some(engine) = engine(None).await else { return };
    let worker = Path::new(env!("CARGO_BIN_EXE_sample-worker"));
    let files = with_libraries(worker);
    let contents: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let named = files.iter().enumerate().map(|(index, file)| match index {
        0 => "/worker",
        _ => file.to_str().unwrap(),
    });
    let files: Vec<_> = named.zip(contents.iter().map(Vec::as_slice)).collect();
    engine.import(IMAGE, &files, &["/worker"]).await.unwrap();

    let scaler = build_scaler(OsStr::new(env!("CARGO"))).await.unwrap();
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&lines);
    let demo = Demo {
        engine: Some(engine.clone()),
        image: IMAGE.to_owned(),
        // An engine that copies an image for each container takes its time.
        deadline: Duration::from_mins(4),
        ..Demo::new(scaler)
    };
    let summary = demo.run(&Story::new(move |line| told.lock().unwrap().push(line.to_owned()))).await.unwrap();
    let told = lines.lock().unwrap().join("\n");
    engine.close().await;
    assert!(summary.is_complete(), "{summary}\n{told}");
    assert_eq!((summary.sent, summary.served), (12, 12), "{told}");
    assert!(told.contains("is done and settled"), "the log of a container is kept:\n{told}");
}
