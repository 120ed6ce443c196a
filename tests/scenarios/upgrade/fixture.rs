//! Groups as earlier versions have made them, read from `tests/data/upgrade`.
//!
//! There is a folder for each set of settings: `settings.json`, `messages.json` in the order in which they were sent, and in
//! `requests` the body of each PUT, byte for byte, in a file that is named after the group. Those in `patches`
//! gave the first message's group its further tags.
//!
//! `0.1` was recorded on the local Azure; only the times in the tags were set back, so that they are past on every machine.
//! `python` follows the sources of the scaler before this one, which was written in Python, at its beginning and at its end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use local_azure::service_bus::OutgoingMessage;
use serde::Deserialize;
use serde_json::Value;
use test_support::group::{State, made_from};

use crate::support::World;

/// What a version made of some messages under some settings.
pub struct Fixture {
    pub settings: BTreeMap<String, String>,
    pub messages: Vec<Message>,
    /// In the order of the messages, and of the attempts at each.
    pub groups: Vec<Group>,
}

/// A message that the groups were made for.
#[derive(Clone, Deserialize)]
pub struct Message {
    pub subscription: String,
    #[serde(rename = "message_id")]
    pub id: String,
    file_size_mb: Value,
}

/// A group, as it was asked for.
#[derive(Clone)]
pub struct Group {
    pub name: String,
    /// The body of the PUT, byte for byte.
    pub body: Vec<u8>,
    request: Value,
}

impl Fixture {
    /// The one in a folder of `tests/data/upgrade`.
    pub fn read(folder: &str) -> Self {
        let folder = root().join(folder);
        let messages: Vec<Message> = read_json(&folder.join("messages.json"));
        let mut groups: Vec<_> = files(&folder.join("requests")).iter().map(|file| Group::read(file)).collect();
        let number = |group: &Group| messages.iter().position(|message| message.id == group.message_id());
        groups.sort_by_key(|group| (number(group).expect("each group is for one of the messages"), group.attempt()));
        Self { settings: read_json(&folder.join("settings.json")), messages, groups }
    }

    /// All of a version.
    pub fn all_of(version: &str) -> Vec<Self> {
        let fixtures: Vec<_> = files(&root().join(version)).iter().map(|folder| Self::read(path(folder))).collect();
        assert!(!fixtures.is_empty(), "{version} has made something");
        fixtures
    }

    /// All of all versions.
    pub fn all() -> Vec<Self> {
        files(&root()).iter().flat_map(|version| Self::all_of(path(version))).collect()
    }

    /// A local Azure with the messages' subscriptions, and a scaler with the settings.
    pub async fn world(&self) -> World {
        let mut names: Vec<_> = self.messages.iter().map(|message| message.subscription.as_str()).collect();
        names.dedup();
        let mut world = World::new(&names).await;
        world.environment.extend(self.settings.clone());
        world
    }

    /// Puts all its messages where they were.
    pub fn send_all(&self, world: &World) {
        for message in &self.messages {
            world.send(&message.subscription, [message.outgoing()]);
        }
    }

    /// The groups of one attempt at each message, as far as there was that many.
    pub fn attempt(&self, attempt: u32) -> Vec<&Group> {
        self.groups.iter().filter(|group| group.attempt() == attempt).collect()
    }
}

impl Message {
    pub fn outgoing(&self) -> OutgoingMessage {
        let message = OutgoingMessage::new().message_id(self.id.clone());
        match (&self.file_size_mb, self.file_size_mb.as_i64(), self.file_size_mb.as_f64()) {
            (Value::String(text), ..) => message.property("file_size_mb", text.as_str()),
            (_, Some(whole), _) => message.property("file_size_mb", whole),
            (_, _, Some(size)) => message.property("file_size_mb", size),
            (other, ..) => panic!("{other} is no file size"),
        }
    }
}

impl Group {
    fn read(file: &Path) -> Self {
        let body = fs::read(file).unwrap();
        let request = serde_json::from_slice(&body).unwrap();
        Self { name: file.file_stem().unwrap().to_str().unwrap().to_owned(), body, request }
    }

    /// The group with the tags that the PATCH in a file of `tests/data/upgrade` gave it.
    pub fn patched(mut self, file: &str) -> Self {
        let patch: Value = read_json(&root().join(file));
        self.request["tags"] = patch["tags"].clone();
        self
    }

    pub fn tag(&self, name: &str) -> Option<&str> {
        self.request["tags"][name].as_str()
    }

    pub fn message_id(&self) -> &str {
        self.tag("message_id").expect("every version has tagged its groups with it")
    }

    /// Which attempt it was. The scaler in Python did not count them.
    pub fn attempt(&self) -> u32 {
        self.tag("attempt").map_or(1, |attempt| attempt.parse().unwrap())
    }

    /// As Azure shows it in a state.
    pub fn shown(&self, state: State) -> Value {
        made_from(&self.name, &self.request, state)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/upgrade")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn path(folder: &Path) -> &str {
    folder.strip_prefix(root()).unwrap().to_str().unwrap()
}

fn read_json<T: for<'de> Deserialize<'de>>(file: &Path) -> T {
    let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
