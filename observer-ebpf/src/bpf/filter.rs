//! The filters `--dest`, `--pid` (also of a command and its descendants) and `--process`, applied once per connect. Values of one option are alternatives;
//! different options must all match. The port is tested earlier, because that test is the cheapest.

use aya_ebpf::maps::lpm_trie::Key;
use tcp_reuse_watch_ebpf::GroupKey;

use super::{
    frozen::frozen,
    lineage,
    maps::{DESTINATIONS, PROCESSES},
    process::Process,
};

#[inline(always)]
pub(super) fn wants(process: &Process, group: &GroupKey) -> bool {
    if frozen!(FILTER.by_pid) != 0 && !lineage::includes(process) {
        return false;
    }
    if frozen!(FILTER.by_process) != 0 && PROCESSES.get_ptr(&process.comm).is_none() {
        return false;
    }
    frozen!(FILTER.by_destination) == 0
        || DESTINATIONS.get(Key::new(128, group.addr)).is_some_and(|wanted| *wanted != 0)
}
