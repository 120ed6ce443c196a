//! The container group a message gets (name, tags, size, environment), and container groups as Azure shows them.

mod cause;
mod memory;
mod name;
mod observed;
mod out_of_memory;
mod overrides;
mod ownership;
mod phase;
mod placeholder;
mod recipe;
mod size;
pub mod tag;
mod template;

pub use memory::{InvalidMemory, MemoryGb};
pub use name::{GroupName, InvalidName, NamePrefix};
pub use observed::{Container, ContainerEvent, ContainerGroup, ContainerState, GroupSize, Liveness};
pub use overrides::{Override, Overrides, SubscriptionPattern};
pub use ownership::Ownership;
pub use phase::{Ending, Phase, StartFailure};
pub(crate) use placeholder::check as check_placeholders;
pub use placeholder::{Placeholders, UnknownPlaceholder};
pub use recipe::{EnvironmentValue, GroupSpec, Job, Recipe, Registry};
pub(crate) use size::memory_in_words;
pub use template::{ApiVersion, Dropped, Findings, GroupTemplate, Owned, TemplateProblem};
