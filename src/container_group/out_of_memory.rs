//! Whether a worker ran out of memory, and how much it had.
//!
//! All of it is in the group itself, what it asks for and a tag of its own, so that every process concludes the same from it.

use super::{Container, ContainerGroup, MemoryGb, tag};

/// What a process exits with that is killed by the system, for want of memory for instance.
const KILLED: i64 = 137;

impl ContainerGroup {
    /// The memory that its worker had and ran out of, if it did and Azure says how much it was.
    pub fn ran_out_of(&self) -> Option<MemoryGb> {
        self.workers().filter(|container| container.ran_out_of_memory()).filter_map(|container| container.memory).max()
    }

    /// The most memory that this attempt at its message, or one before it, is known to have run out of.
    pub fn most_ran_out_of(&self) -> Option<MemoryGb> {
        let before = self.tag(tag::RAN_OUT_OF_GB).and_then(|gb| MemoryGb::from_decimal(gb.trim().parse().ok()?).ok());
        self.ran_out_of().max(before)
    }
}

impl Container {
    /// Whether Azure says that it ended for want of memory: in Kubernetes' own word, or with the exit code of one that was
    /// killed and memory as the reason.
    fn ran_out_of_memory(&self) -> bool {
        let Some(state) = self.state.as_ref().filter(|_| self.has_ended()) else { return false };
        let detail = state.detail_status.as_deref().unwrap_or_default();
        let warnings = self.events.iter().filter(|event| event.is_warning);
        let reasons = warnings.flat_map(|event| [&event.name, &event.message]).map(String::as_str);
        detail.eq_ignore_ascii_case("OOMKilled")
            || state.exit_code == Some(KILLED) && reasons.chain([detail]).any(is_about_memory)
    }
}

fn is_about_memory(reason: &str) -> bool {
    let mut words = reason.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words.any(|word| word == "memory" || word.starts_with("oom"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container_group::{ContainerEvent, ContainerState};
    use crate::test_support::{exited, group, in_state, memory, running};

    fn ended(code: Option<i64>, word: &str) -> ContainerGroup {
        let state = ContainerState { detail_status: Some(word.to_owned()), ..exited(code, 0, Some(9)) };
        let mut group = group("g", &[], "Succeeded", &[Some(state)]);
        group.containers[0].memory = Some(memory("4"));
        group
    }

    #[test]
    fn a_worker_ran_out_of_memory_when_azure_says_so_in_one_word_or_by_its_exit_code_and_the_reason() {
        for (code, word) in
            [(Some(137), "OOMKilled"), (Some(1), "oomkilled"), (Some(0), "OOMKilled"), (None, "OOMKilled")]
        {
            assert_eq!(ended(code, word).ran_out_of(), Some(memory("4")), "{code:?} {word}");
        }
        for word in ["Out of memory", "the node was low on resource: memory", "OOM-killed"] {
            assert_eq!(ended(Some(137), word).ran_out_of(), Some(memory("4")), "{word}");
            assert_eq!(ended(Some(1), word).ran_out_of(), None, "{word}");
        }
        for word in ["Error", "", "Completed", "a room", "memoryless"] {
            assert_eq!(ended(Some(137), word).ran_out_of(), None, "{word}");
        }
    }

    #[test]
    fn a_warning_of_azures_is_a_reason_too() {
        let with = |is_warning, message: &str| {
            let mut group = ended(Some(137), "Error");
            let event = ContainerEvent { is_warning, message: message.into(), ..ContainerEvent::default() };
            group.containers[0].events = vec![event];
            group.ran_out_of()
        };
        assert_eq!(with(true, "Memory cgroup out of memory"), Some(memory("4")));
        assert_eq!(with(false, "pulling image memory/worker"), None);
        assert_eq!(with(true, "Back-off restarting"), None);
    }

    #[test]
    fn what_still_runs_or_waits_has_not_run_out_nor_has_a_sidecar_or_one_of_unknown_size() {
        for state in [running(0), in_state("Waiting")] {
            let state = ContainerState { detail_status: Some("OOMKilled".into()), ..state };
            let mut group = group("g", &[], "Succeeded", &[Some(state)]);
            group.containers[0].memory = Some(memory("4"));
            assert_eq!(group.ran_out_of(), None, "{group:?}");
        }
        let mut group = ended(Some(137), "OOMKilled");
        let sidecar = Container { name: "sidecar".into(), ..group.containers[0].clone() };
        group.containers[0].state = Some(exited(Some(1), 0, Some(9)));
        group.containers.push(sidecar);
        assert_eq!(group.ran_out_of(), None, "its sidecar did");
        let mut unknown = ended(Some(137), "OOMKilled");
        unknown.containers[0].memory = None;
        assert_eq!(unknown.ran_out_of(), None);
    }

    #[test]
    fn what_attempts_before_ran_out_of_counts_unless_this_one_had_more() {
        let tagged = |key: &str, gb: &str, word: &str| {
            let mut group = ended(Some(137), word);
            group.tags.insert(key.into(), gb.into());
            group.most_ran_out_of()
        };
        assert_eq!(tagged("ran_out_of_gb", "2", "Error"), Some(memory("2")));
        assert_eq!(tagged("Ran_Out_Of_GB", "2", "OOMKilled"), Some(memory("4")));
        assert_eq!(tagged("ran_out_of_gb", "16", "OOMKilled"), Some(memory("16")));
        for nonsense in ["", "much", "0", "-2", "1.25"] {
            assert_eq!(tagged("ran_out_of_gb", nonsense, "Error"), None, "{nonsense}");
        }
    }
}
