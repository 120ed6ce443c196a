//! The settings of the container groups.

use std::time::Duration;

use rust_decimal::Decimal;

use super::image;
use super::reader::{Reader, Reported};
use super::setting::{Accepts, Fallback, Setting};
use crate::container_group::{MemoryGb, NamePrefix};

/// The `ACI_*` settings.
#[derive(Clone, Debug)]
pub struct AciSettings {
    pub image: String,
    /// The start of every group's name, and the value of its tags `aci_scaler` and `managed_by`.
    pub name_prefix: NamePrefix,
    /// The Azure region, such as `westeurope`.
    pub location: String,
    /// The most active groups at a time.
    pub max_instances: u32,
    /// The least CPU cores of each group.
    pub default_cpu: Decimal,
    /// CPU cores per GiB of file.
    pub cpu_multiplier: Decimal,
    /// The most CPU cores of a group.
    pub max_cpu: Decimal,
    /// GiB of memory per GiB of file.
    pub memory_multiplier: Decimal,
    /// The least memory of a group.
    pub min_memory: MemoryGb,
    /// The most memory of a group.
    pub max_memory: MemoryGb,
    /// After an attempt that ran out of memory, the next one gets that memory times this factor.
    pub oom_memory_factor: Decimal,
    /// How long a group may take to start before it counts as a failed attempt.
    pub provisioning_timeout: Duration,
    /// How long a group may run, if that is limited.
    pub max_runtime: Option<Duration>,
}

/// The most groups that one pass can read: each active one takes a GET, and Resource Manager allows a burst of 250 reads and 25
/// a second after that, which makes 6,250 in the default deadline of 240 s. As a pass creates groups only in the first three
/// quarters of a back-off, more than some 1,300 need a longer back-off than the default.
const MAX_GROUPS: u32 = 5000;
/// The most cores of one group, of any kind and in any region (Container Instances' limits).
const CPU_LIMIT: u32 = 31;
/// The most memory of one group, in GB, of any kind and in any region (Container Instances' limits).
const MAX_MEMORY_GB: u32 = 240;
/// With 1000 a file of 246 MiB gets the most memory there is. Anything above is a mistake.
const MAX_MULTIPLIER: u32 = 1000;
/// With 10 the third attempt gets a hundred times the first one's memory. Anything above is a mistake.
const MAX_OOM_FACTOR: u32 = 10;
/// Azure itself gives up after 30 minutes; a group that has not started after a day never will.
const MAX_PROVISIONING_MINUTES: u32 = 24 * 60;
/// Thirty days. A longer limit protects nobody from a bill, and 0 means none.
const MAX_RUNTIME_MINUTES: u32 = 30 * 24 * 60;

pub(super) const IMAGE: Setting = Setting {
    name: "ACI_IMAGE",
    doc: "The worker's image. Without a registry it is from Docker Hub.",
    accepts: Accepts::Text(
        "an image, such as myregistry.azurecr.io/worker:1.4.2, with upper case only in its tag, and a tag after a colon",
    ),
    fallback: Fallback::Required,
    secret: false,
};

const NAME_PREFIX: Setting = Setting {
    name: "ACI_NAME_PREFIX",
    doc: "The start of every container group's name and the value of its `aci_scaler` and `managed_by` tags. Each scaler \
          in a resource group needs its own. If you change it, running groups no longer count, and their messages get \
          second groups.",
    accepts: Accepts::Text(
        "a text of 1 to 42 lower-case letters, digits and single hyphens, with a letter or digit at both ends",
    ),
    fallback: Fallback::Required,
    secret: false,
};

const LOCATION: Setting = Setting {
    name: "ACI_LOCATION",
    doc: "The Azure region of the container groups.",
    accepts: Accepts::Text("a region, such as westeurope"),
    fallback: Fallback::Required,
    secret: false,
};

pub(super) const MAX_INSTANCES: Setting = Setting {
    name: "ACI_MAX_INSTANCES",
    doc: "The most active container groups at a time. With 0 the scaler creates none, and still deletes finished ones.",
    accepts: Accepts::Whole(0..=MAX_GROUPS),
    fallback: Fallback::Default("200"),
    secret: false,
};

pub(super) const DEFAULT_CPU: Setting = Setting {
    name: "ACI_DEFAULT_CPU",
    doc: "The CPU cores of each group, or the least if `ACI_CPU_MULTIPLIER` is set.",
    accepts: Accepts::Decimal { max: CPU_LIMIT, decimals: 2 },
    fallback: Fallback::Default("2"),
    secret: false,
};

pub(super) const CPU_MULTIPLIER: Setting = Setting {
    name: "ACI_CPU_MULTIPLIER",
    doc: "CPU cores for each GB of file, rounded up to 0.01, from `ACI_DEFAULT_CPU` to `ACI_MAX_CPU`; with 0 all groups have \
          `ACI_DEFAULT_CPU`.",
    accepts: Accepts::DecimalOrZero { max: MAX_MULTIPLIER, decimals: 4 },
    fallback: Fallback::Default("0"),
    secret: false,
};

pub(super) const MAX_CPU: Setting = Setting {
    name: "ACI_MAX_CPU",
    doc: "The most CPU cores of a group.",
    accepts: Accepts::Decimal { max: CPU_LIMIT, decimals: 2 },
    fallback: Fallback::Default("31"),
    secret: false,
};

pub(super) const MEMORY_MULTIPLIER: Setting = Setting {
    name: "ACI_MEMORY_MULTIPLIER",
    doc: "GB of memory for each GB of file.",
    accepts: Accepts::Decimal { max: MAX_MULTIPLIER, decimals: 4 },
    fallback: Fallback::Default("8"),
    secret: false,
};

pub(super) const MIN_MEMORY: Setting = Setting {
    name: "ACI_MIN_MEMORY_GB",
    doc: "The least memory of a group, in GB.",
    accepts: Accepts::Decimal { max: MAX_MEMORY_GB, decimals: 1 },
    fallback: Fallback::Default("0.5"),
    secret: false,
};

pub(super) const MAX_MEMORY: Setting = Setting {
    name: "ACI_MAX_MEMORY_GB",
    doc: "The most memory of a group, in GB.",
    accepts: Accepts::Decimal { max: MAX_MEMORY_GB, decimals: 1 },
    fallback: Fallback::Default("240"),
    secret: false,
};

const OOM_MEMORY_FACTOR: Setting = Setting {
    name: "ACI_OOM_MEMORY_FACTOR",
    doc: "After an attempt that ran out of memory, the message's next one gets that memory times this factor, up to the most \
          memory of a group; 1 is off.",
    accepts: Accepts::Factor { max: MAX_OOM_FACTOR, decimals: 2 },
    fallback: Fallback::Default("2"),
    secret: false,
};

const PROVISIONING_TIMEOUT: Setting = Setting {
    name: "ACI_PROVISIONING_TIMEOUT_MINUTES",
    doc: "How long a group may take to start before it counts as a failed attempt.",
    accepts: Accepts::Whole(1..=MAX_PROVISIONING_MINUTES),
    fallback: Fallback::Default("30"),
    secret: false,
};

const MAX_RUNTIME: Setting = Setting {
    name: "ACI_MAX_RUNTIME_MINUTES",
    doc: "How long a group may run before it counts as a failed attempt and is deleted; 0 means no limit.",
    accepts: Accepts::Whole(0..=MAX_RUNTIME_MINUTES),
    fallback: Fallback::Default("0"),
    secret: false,
};

pub(super) const ALL: [&Setting; 13] = [
    &IMAGE,
    &NAME_PREFIX,
    &LOCATION,
    &MAX_INSTANCES,
    &DEFAULT_CPU,
    &CPU_MULTIPLIER,
    &MAX_CPU,
    &MEMORY_MULTIPLIER,
    &MIN_MEMORY,
    &MAX_MEMORY,
    &OOM_MEMORY_FACTOR,
    &PROVISIONING_TIMEOUT,
    &MAX_RUNTIME,
];

impl AciSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Reported> {
        let image = reader.value(&IMAGE, image::parse);
        let name_prefix = reader.value(&NAME_PREFIX, |text| NamePrefix::parse(text).ok());
        let location = reader.value(&LOCATION, parse_location);
        let max_instances = reader.whole(&MAX_INSTANCES);
        let cpu = read_cpu(reader);
        let memory_multiplier = reader.decimal(&MEMORY_MULTIPLIER);
        let memory = read_memory(reader);
        let oom_memory_factor = reader.decimal(&OOM_MEMORY_FACTOR);
        let provisioning_timeout = reader.minutes(&PROVISIONING_TIMEOUT);
        let max_runtime = reader.minutes(&MAX_RUNTIME);
        let (min_memory, max_memory) = memory?;
        let (default_cpu, cpu_multiplier, max_cpu) = cpu?;
        Ok(Self {
            image: image?,
            name_prefix: name_prefix?,
            location: location?,
            max_instances: max_instances?,
            default_cpu,
            cpu_multiplier,
            max_cpu,
            memory_multiplier: memory_multiplier?,
            min_memory,
            max_memory,
            oom_memory_factor: oom_memory_factor?,
            provisioning_timeout: provisioning_timeout?,
            max_runtime: Some(max_runtime?).filter(|limit| !limit.is_zero()),
        })
    }
}

fn read_cpu(reader: &mut Reader<'_>) -> Result<(Decimal, Decimal, Decimal), Reported> {
    let cpu = reader.decimal(&DEFAULT_CPU);
    let multiplier = reader.decimal(&CPU_MULTIPLIER);
    let max = reader.decimal(&MAX_CPU);
    let (cpu, max) = (cpu?, max?);
    if cpu > max {
        return Err(reader.refused(&DEFAULT_CPU, format!("expected at most {} ({max})", MAX_CPU.name)));
    }
    Ok((cpu, multiplier?, max))
}

fn read_memory(reader: &mut Reader<'_>) -> Result<(MemoryGb, MemoryGb), Reported> {
    let mut read =
        |setting: &Setting| reader.value(setting, |text| MemoryGb::from_decimal(setting.accepts.decimal(text)?).ok());
    let (min, max) = (read(&MIN_MEMORY), read(&MAX_MEMORY));
    let (min, max) = (min?, max?);
    if min > max {
        let reason = format!("expected at most {} ({max})", MAX_MEMORY.name);
        return Err(reader.refused(&MIN_MEMORY, reason));
    }
    Ok((min, max))
}

/// A region's name in the form that Azure itself uses: group names depend on it, so `West Europe` and `westeurope` must be the
/// same region.
fn parse_location(text: &str) -> Option<String> {
    let valid = text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ');
    valid.then(|| text.replace(' ', "").to_ascii_lowercase())
}
