//! The container group a message gets (name, tags, size, environment), and container groups as Azure shows them.

mod memory;
mod name;
mod observed;
mod phase;
mod recipe;
pub mod tag;

pub use memory::{InvalidMemory, MemoryGb};
pub use name::{GroupName, InvalidName, NamePrefix};
pub use observed::{Container, ContainerGroup, ContainerState, Liveness};
pub use phase::{Ending, Phase};
pub use recipe::{EnvironmentValue, GroupSpec, Job, Recipe, Registry};
