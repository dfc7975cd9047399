//! How much memory the process may still take.

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System};

/// The bytes that the process may still take: what the machine has, its control group (version 1 or 2) allows, and the
/// limit of its address space (`ulimit -v`) leaves, whichever is least. `u64::MAX` where the system does not tell.
pub(crate) fn free() -> u64 {
    let Ok(mut system) = System::new() else { return address_space(None) };
    system.refresh_memory();
    let me = Pid::from_u32(std::process::id());
    let only_memory = ProcessRefreshKind::nothing().without_tasks().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[me]), false, only_memory);
    let me = system.process(me);
    let machine = match system.available_memory() {
        0 => u64::MAX,
        bytes => bytes,
    };
    machine.min(group(me)).min(address_space(me))
}

/// What the control group leaves. The group's own number of free bytes counts files that are cached as used, although
/// the system drops them when memory is wanted.
fn group(me: Option<&Process>) -> u64 {
    let limits = me.and_then(Process::cgroup_limits);
    limits.map_or(u64::MAX, |limits| limits.total_memory.saturating_sub(limits.rss))
}

/// What the limit of the address space leaves.
fn address_space(me: Option<&Process>) -> u64 {
    #[cfg(unix)]
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::As).current {
        return limit.saturating_sub(me.map_or(0, Process::virtual_memory));
    }
    let _ = me;
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_memory_is_free_and_less_when_it_is_taken() {
        let before = free();
        assert!(before > 1 << 20, "{before}");
        assert!(cfg!(not(target_os = "linux")) || before < 1 << 50, "{before}");
    }
}
