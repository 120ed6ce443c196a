//! How large a message's group is: by the size of its file, and by what an attempt before it ran out of.
//!
//! Neither is ever below what the file's size asks for, nor above the most that the recipe has, or what the containers beside
//! the worker leave.

use rust_decimal::prelude::FromPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::{GroupSpec, GroupTemplate, MemoryGb, Recipe};
use crate::message::FileSizeMb;

/// Most cores of one group, of any kind and in any region (Container Instances' limits).
const MAX_CPU: Decimal = Decimal::from_parts(31, 0, 0, false, 0);
/// Most memory of one group, in GB, likewise.
const MAX_MEMORY_GB: Decimal = Decimal::from_parts(240, 0, 0, false, 0);

/// What a worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkerSize {
    pub(crate) memory: MemoryGb,
    /// Cores.
    pub(crate) cpu: Decimal,
}

impl Recipe {
    /// Whether a message gets more memory after an attempt at it has run out.
    pub(crate) fn learns(&self) -> bool {
        self.oom_memory_factor > Decimal::ONE
    }

    /// What the worker for a file of this size gets, after an attempt has run out of so much memory, if one has.
    pub(crate) fn size(&self, file: FileSizeMb, ran_out_of: Option<MemoryGb>) -> WorkerSize {
        let (memory, cpu) = (self.memory_for(file), self.cpu_for(file));
        let Some(ran_out_of) = ran_out_of.filter(|_| self.learns()) else { return WorkerSize { memory, cpu } };
        let memory = memory.max(ran_out_of.times(self.oom_memory_factor)).min(self.most_memory());
        WorkerSize { memory, cpu: cpu.max(self.cpu_with(memory)) }
    }

    /// The memory that a file of this size needs.
    fn memory_for(&self, size: FileSizeMb) -> MemoryGb {
        let max = self.most_memory();
        MemoryGb::for_file(size, self.memory_multiplier, self.min_memory.min(max), max)
    }

    fn most_memory(&self) -> MemoryGb {
        let room = MemoryGb::from_decimal(MAX_MEMORY_GB - self.sidecars().1).unwrap_or(self.max_memory);
        self.max_memory.min(room)
    }

    /// The cores that a file of this size needs.
    fn cpu_for(&self, size: FileSizeMb) -> Decimal {
        let needed = size.get().checked_mul(self.cpu_multiplier).and_then(|product| product.checked_div(1024.into()));
        self.cpu_within_bounds(needed)
    }

    /// The cores that go with so much memory: those of a file that needs it.
    fn cpu_with(&self, memory: MemoryGb) -> Decimal {
        let product = memory.to_decimal().checked_mul(self.cpu_multiplier);
        self.cpu_within_bounds(product.and_then(|product| product.checked_div(self.memory_multiplier)))
    }

    /// Rounded up to the hundredths that Azure sells. What is too many to compute is above every maximum.
    fn cpu_within_bounds(&self, needed: Option<Decimal>) -> Decimal {
        let needed = needed.unwrap_or(self.max_cpu).min(MAX_CPU);
        let needed = needed.round_dp_with_strategy(2, RoundingStrategy::ToPositiveInfinity).normalize();
        needed.max(self.cpu).min(self.max_cpu).min(MAX_CPU - self.sidecars().0)
    }

    /// What the containers beside the worker ask for, in cores and GB.
    fn sidecars(&self) -> (Decimal, Decimal) {
        let (cpu, memory) = self.template.as_ref().map(GroupTemplate::sidecars).unwrap_or_default();
        let exact = |amount, decimals| Decimal::from_f64(amount).unwrap_or_default().round_dp(decimals);
        (exact(cpu, 2), exact(memory, 1))
    }
}

impl GroupSpec {
    /// ` with 8 GB after running out of 4`, if an attempt ran out of memory before.
    pub(crate) fn why_its_memory(&self) -> String {
        self.ran_out_of.map(|_| format!(" with {}", memory_in_words(self.memory, self.ran_out_of))).unwrap_or_default()
    }
}

/// An amount of memory for people, with what an attempt ran out of before.
pub(crate) fn memory_in_words(memory: MemoryGb, ran_out_of: Option<MemoryGb>) -> String {
    let after = ran_out_of.map(|ran_out_of| format!(" after running out of {ran_out_of}")).unwrap_or_default();
    format!("{memory} GB{after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Owned;
    use super::*;
    use crate::test_support::memory;

    fn recipe(cpu: &str, multiplier: &str, max: &str) -> Recipe {
        Recipe {
            cpu: cpu.parse().unwrap(),
            cpu_multiplier: multiplier.parse().unwrap(),
            max_cpu: max.parse().unwrap(),
            ..crate::test_support::settings().recipe()
        }
    }

    fn file(mib: &str) -> FileSizeMb {
        FileSizeMb::from_text(mib).unwrap()
    }

    fn cores(recipe: &Recipe, mib: &str) -> String {
        recipe.size(file(mib), None).cpu.to_string()
    }

    #[test]
    fn cores_are_file_size_times_multiplier_rounded_up_to_a_hundredth_between_their_bounds() {
        let by_size = recipe("0.5", "1.5", "4");
        for (mib, expected) in [
            ("0", "0.5"),
            ("341", "0.5"),
            ("342", "0.51"),
            ("1024", "1.5"),
            ("1025", "1.51"),
            ("2731", "4"),
            ("1e28", "4"),
        ] {
            assert_eq!(cores(&by_size, mib), expected, "{mib}");
        }
        assert_eq!(cores(&recipe("2", "0", "31"), "1e28"), "2", "0 is off");
    }

    fn with_sidecar(recipe: Recipe) -> Recipe {
        let requests = json!({ "cpu": 1.5, "memoryInGB": 0.7 });
        let sidecar = json!({ "name": "proxy", "properties": { "image": "i", "resources": { "requests": requests } } });
        let json = json!({ "properties": { "containers": [sidecar] } });
        Recipe { template: GroupTemplate::check(json, &Owned::default()).0, ..recipe }
    }

    #[test]
    fn a_worker_gets_what_the_containers_beside_it_leave() {
        let recipe = with_sidecar(recipe("1", "100", "31"));
        assert_eq!(cores(&recipe, "1e28"), "29.5");
        assert_eq!(recipe.size(file("1e28"), None).memory.to_string(), "239.3");
    }

    #[test]
    fn after_running_out_of_memory_a_worker_gets_the_factor_of_that_rounded_up_to_a_tenth_up_to_the_most() {
        let recipe = |factor: &str, max: &str| Recipe {
            oom_memory_factor: factor.parse().unwrap(),
            max_memory: memory(max),
            ..recipe("2", "0", "31")
        };
        // A file of 500 MiB has 4 GB at first.
        for (factor, max, ran_out_of, expected) in [
            ("2", "240", "4", "8"),
            ("1.5", "240", "4", "6"),
            ("1.25", "240", "4.1", "5.2"),
            ("1.01", "240", "4", "4.1"),
            ("2", "240", "200", "240"),
            ("2", "6", "4", "6"),
            ("2", "6", "6", "6"),
            ("2", "240", "1", "4"),
            ("1", "240", "8", "4"),
        ] {
            let size = recipe(factor, max).size(file("500"), Some(memory(ran_out_of)));
            assert_eq!(size.memory, memory(expected), "{factor} {max} {ran_out_of}");
        }
        let beside = with_sidecar(recipe("10", "240"));
        assert_eq!(beside.size(file("500"), Some(memory("200"))).memory, memory("239.3"));
    }

    #[test]
    fn cores_by_size_follow_the_memory() {
        // 8 GB of memory and 3 cores for each GB of file.
        let by_size = recipe("0.5", "3", "4");
        let cores = |ran_out_of: Option<&str>| by_size.size(file("500"), ran_out_of.map(memory)).cpu.to_string();
        assert_eq!(cores(None), "1.47");
        assert_eq!(cores(Some("4")), "3", "those of a file that needs 8 GB");
        assert_eq!(cores(Some("8")), "4", "no more than the most");
        assert_eq!(cores(Some("0.1")), "1.5", "the memory is what it was, and rounded up");
        let alike = recipe("2", "0", "31");
        assert_eq!(alike.size(file("500"), Some(memory("4"))).cpu.to_string(), "2");
    }
}
