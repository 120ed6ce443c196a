//! How much memory processes hold, as Linux shows it in `/proc`, and how much they may hold.

use std::fs;
use std::io;

/// Gigabytes as KiB. They are powers of two, as in the limits of containers.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "amounts are small and not negative")]
pub(crate) fn kib(gb: f64) -> u64 {
    (gb * 1024.0 * 1024.0) as u64
}

/// Limits what a process may allocate, from now on and of its children too, unless it is limited to less already.
///
/// # Errors
/// When the system does not allow it. A process that has exited needs no limit.
#[cfg(target_os = "linux")]
pub(crate) fn limit_data(process: Option<u32>, limit_kib: u64) -> io::Result<()> {
    use rustix::io::Errno;
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    let process = process.and_then(|id| Pid::from_raw(id.cast_signed()));
    let wanted = limit_kib * 1024;
    let limit = getrlimit(Resource::Data).maximum.map_or(wanted, |maximum| maximum.min(wanted));
    match prlimit(process, Resource::Data, Rlimit { current: Some(limit), maximum: Some(limit) }) {
        Ok(_) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Other systems have no such limit for another process.
#[cfg(not(target_os = "linux"))]
pub(crate) fn limit_data(_: Option<u32>, _: u64) -> io::Result<()> {
    Ok(())
}

/// The memory of a process and all its descendants that the system cannot reclaim, and for which it kills a container. Nothing if
/// there is no `/proc`, or the process has ended.
pub(crate) fn held_kib(process: u32) -> u64 {
    let own = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    children(process).into_iter().map(held_kib).sum::<u64>() + of_status(&own)
}

/// Anonymous memory and shared memory; pages of files can be dropped and do not count.
fn of_status(status: &str) -> u64 {
    let amount = |line: &str| {
        let value = line.strip_prefix("RssAnon:").or_else(|| line.strip_prefix("RssShmem:"))?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    status.lines().filter_map(amount).sum()
}

fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let of_threads = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    of_threads
        .flat_map(|children| children.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_and_shared_memory_count_and_files_do_not() {
        let status =
            "Name:\tx\nVmRSS:\t    4000 kB\nRssAnon:\t    1000 kB\nRssFile:\t    2500 kB\nRssShmem:\t     500 kB\n";
        assert_eq!(of_status(status), 1500);
        assert_eq!(of_status(""), 0);
    }

    #[test]
    fn a_gigabyte_has_as_many_kib_as_a_container_of_one() {
        assert_eq!(kib(1.0), 1_048_576);
        assert_eq!(kib(0.5), 524_288);
    }
}
