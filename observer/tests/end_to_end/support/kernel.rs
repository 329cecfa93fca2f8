//! BPF objects that a process holds: its programs and maps, as /proc and the kernel's own lists show them.

use std::fs;

use aya::{
    Pod,
    maps::{HashMap, Map, MapData, MapInfo},
};
use tcp_reuse_watch_ebpf::{Connection, GroupKey};

#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Program ids.
    pub(crate) programs: Vec<u32>,
    /// Map ids.
    pub(crate) maps: Vec<u32>,
    /// How many programs it has attached.
    pub(crate) links: usize,
}

/// Lists the programs and maps of a process (`bpf_prog_show_fdinfo()` and `bpf_map_show_fdinfo()`,
/// kernel/bpf/syscall.c).
pub(crate) fn loaded_by(pid: u32) -> Loaded {
    let mut loaded = Loaded::default();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("the process is running") {
        // The descriptor may be closed already.
        let Ok(info) = entry.and_then(|entry| fs::read_to_string(entry.path())) else { continue };
        let number = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        // A link also shows the id of its program, but no program type.
        if let (Some(_), Some(id)) = (number("prog_type:"), number("prog_id:")) {
            loaded.programs.push(id.try_into().expect("an id has 32 bits"));
        } else if number("link_id:").is_some() {
            loaded.links += 1;
        } else if let Some(id) = number("map_id:") {
            loaded.maps.push(id.try_into().expect("an id has 32 bits"));
        }
    }
    loaded
}

impl Loaded {
    /// Those of these programs and maps that still exist in the kernel.
    pub(crate) fn left(&self) -> Self {
        let programs: Vec<u32> =
            aya::programs::loaded_programs().filter_map(|program| Some(program.ok()?.id())).collect();
        let maps: Vec<u32> = aya::maps::loaded_maps().filter_map(|map| Some(map.ok()?.id())).collect();
        Self {
            programs: self.programs.iter().filter(|id| programs.contains(id)).copied().collect(),
            maps: self.maps.iter().filter(|id| maps.contains(id)).copied().collect(),
            links: 0,
        }
    }
}

/// The numbers of groups and of connections in the maps of a watch. They cost memory for as long as they are there.
pub(crate) fn held_by(pid: u32) -> (usize, usize) {
    (
        entries::<[u8; size_of::<GroupKey>()], u64>(pid, "GROUPS"),
        entries::<u64, [u8; size_of::<Connection>()]>(pid, "CONNECTIONS"),
    )
}

/// What the kernel keeps for each connection of a watch.
pub(crate) fn connections_of(pid: u32) -> Vec<[u8; size_of::<Connection>()]> {
    let map = map::<u64, _>(pid, "CONNECTIONS");
    map.iter().map(|entry| entry.expect("the map can be read").1).collect()
}

/// The number of entries of a process's hash map.
fn entries<K: Pod, V: Pod>(pid: u32, name: &str) -> usize {
    map::<K, V>(pid, name).keys().count()
}

fn map<K: Pod, V: Pod>(pid: u32, name: &str) -> HashMap<MapData, K, V> {
    let is_named = |id: &u32| MapInfo::from_id(*id).is_ok_and(|info| info.name_as_str() == Some(name));
    let id = loaded_by(pid).maps.into_iter().find(is_named).unwrap_or_else(|| panic!("process {pid} has no {name}"));
    let map = Map::HashMap(MapData::from_id(id).expect("the map exists"));
    HashMap::try_from(map).expect("a hash map of these types")
}
