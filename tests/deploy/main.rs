//! Deployment: the scripts behind the workflows run here with a recording stand-in for `az`, the real Azure CLI reads what
//! was recorded, the package is unpacked and run, and the template is resolved and held against Azure's schemas.

mod azure_cli;
#[path = "../performance/src/ceiling.rs"]
mod ceiling;
mod code;
mod failed_push;
mod guide;
mod login;
mod masks;
mod package;
mod release;
mod service;
mod settings;
mod stage;
mod template;
mod tools;
mod workflows;
