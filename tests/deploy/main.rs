//! Deployment: the scripts behind the workflows run here with a recording stand-in for `az`, the real Azure CLI parses the
//! recorded command lines, the package is unpacked and run, and the template is resolved and checked against Azure's schemas.

#![cfg(unix)]
#![allow(unreachable_pub, reason = "what the files of a test share is public among them, and there is nobody else")]

mod azure_cli;
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
