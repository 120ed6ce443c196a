//! The examples of docs/container-groups.md work.

use std::fs;

use local_azure::container_groups::{Exit, ExitsWhenTold};
use local_azure::local::LocalAzureConfig;
use serde_json::Value;
use std::sync::Arc;

use crate::any_group::assert_holds;
use crate::support::{World, counts, message};

/// The examples of a section: settings, and the files that they name.
#[derive(Default)]
struct Example {
    title: String,
    settings: Vec<(String, String)>,
    files: Vec<(String, String)>,
}

fn examples() -> Vec<Example> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/container-groups.md")).unwrap();
    let sections = text.split("\n## ").skip(1).map(example);
    sections.filter(|example| !example.settings.is_empty()).collect()
}

fn example(section: &str) -> Example {
    let mut example = Example { title: section.lines().next().unwrap().to_owned(), ..Example::default() };
    let mut parts = section.split("```");
    let mut before = parts.next().unwrap();
    while let (Some(block), Some(after)) = (parts.next(), parts.next()) {
        let (language, text) = block.split_once('\n').unwrap();
        match language {
            "ini" => {
                let settings = dotenvy::from_read_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
                example.settings.extend(settings);
            }
            "json" => {
                let name = before.trim_end().rsplit('\n').next().unwrap().trim_matches(['`', ':']);
                example.files.push((name.to_owned(), text.to_owned()));
            }
            other => panic!("{}: nobody knows how to run an example in {other}", example.title),
        }
        before = after;
    }
    example
}

#[tokio::test]
async fn the_examples_of_the_page_on_container_groups_create_what_they_say() {
    let examples = examples();
    assert!(examples.len() >= 10, "there are examples");
    for Example { title, settings, files } in examples {
        let mut config = LocalAzureConfig::default();
        config.resource_manager.resource_groups.push("workers".to_owned());
        config.resource_manager.container_groups.worker = Arc::new(ExitsWhenTold::new(Exit::Code(0)));
        let mut world = World::start(&["1-50MB", "601-1GB"], config).await;
        for (name, text) in &files {
            fs::write(world.folder().join(name), text).unwrap();
        }
        for (name, value) in settings {
            world.set(&name, value);
        }
        world.send("1-50MB", [message("small", 50)]);
        world.send("601-1GB", [message("large", 1024)]);
        let pass = world.pass().await;
        assert_eq!(pass.messages(), counts([("created", 2)]), "{title}: {pass:#?}");
        assert!(!pass.log.contains("WARN"), "{title}: {}", pass.log);
        let bodies = world.azure.resource_manager.container_groups().accepted_puts();
        let bodies = bodies.iter().map(|put| serde_json::from_slice::<Value>(&put.body).unwrap());
        for (name, text) in files {
            let file: Value = serde_json::from_str(&text).unwrap();
            for body in bodies.clone() {
                match (&name[..], body["tags"]["message_id"] == "large") {
                    ("group.json", _) => assert_holds(&body, &file, &title),
                    ("overrides.json", true) => assert_holds(&body, &file["601-1GB"]["template"], &title),
                    _ => {}
                }
            }
        }
        world.until_all_are_running().await;
        assert_eq!(world.pass().await.messages(), counts([("running", 2)]), "{title}");
    }
}
