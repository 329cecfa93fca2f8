//! The descendants of a command that still run when it has ended.

use observer_core::{model::process_name, printable::printable, tracker::Notice};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::{
    host::{
        namespaces::why_processes_are_unknown,
        processes::{comm_of, stat_of},
    },
    kernel::{Followed, Lineage},
};

/// The kind of the notice about what an ended command has left behind.
pub(super) const KIND: &str = "descendants";

/// A notice names at most this many processes.
const MAX_NAMED: usize = 5;

pub(super) fn is_any_running(lineage: &Lineage) -> bool {
    !running(lineage).is_empty()
}

/// Names what an ended command has left behind.
pub(super) fn notice(lineage: &Lineage) -> Option<Notice> {
    let mut running = running(lineage);
    running.sort_by_key(|process| process.tgid);
    let name = |process: &Followed| format!("{} (pid {})", name(process.tgid), process.tgid);
    let mut named: Vec<String> = running.iter().take(MAX_NAMED).map(name).collect();
    if running.len() > MAX_NAMED {
        named.push(format!("and {} more", running.len() - MAX_NAMED));
    }
    let what = match running.len() {
        0 => return None,
        // The exit of one may have been missed, and nothing else tells.
        n if why_processes_are_unknown().is_some() => format!("may be left running, and not watched any more ({n})"),
        1 => "left running, and not watched any more".into(),
        n => format!("{n} processes are left running, and not watched any more"),
    };
    Some(Notice { kind: KIND, message: format!("{what}: {}", named.join(", ")) })
}

/// The followed processes that still run. The kernel side may have missed the exit of one.
fn running(lineage: &Lineage) -> Vec<Followed> {
    let mut running = lineage.followed().unwrap_or_default();
    if why_processes_are_unknown().is_none() {
        running.retain(is_running);
    }
    running
}

fn is_running(process: &Followed) -> bool {
    match stat_of(process.tgid) {
        Some(stat) => stat.is_running_since(process.start_ticks),
        // /proc may hide it.
        None => Pid::from_raw(process.tgid.cast_signed()).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH)),
    }
}

/// The name of a process. In another PID namespace its id means another one, or none.
fn name(tgid: u32) -> String {
    let comm = if why_processes_are_unknown().is_some() { None } else { comm_of(tgid) };
    comm.and_then(process_name).map_or_else(|| "unknown".into(), |name| printable(&name))
}
