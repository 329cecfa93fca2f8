//! Tries every hook by itself, to show in `doctor` which ones this kernel accepts.

use aya::{
    Ebpf, EbpfError,
    maps::{HashMap, MapError},
};

use super::{
    attach,
    hooks::HookSet,
    inventory::Inventory,
    load::{Loader, refusal, take_map},
};
use crate::host::cgroup;

/// How doctor names the iterator that lists open sockets.
pub(crate) const ITERATOR_KIND: &str = "iterator";

pub(crate) struct HookTests {
    pub(crate) maps: Result<(), MapsRefused>,
    /// Empty without maps.
    pub(crate) hooks: Vec<HookTest>,
}

pub(crate) struct MapsRefused {
    /// The map that the kernel refused, if known.
    pub(crate) map: Option<String>,
    pub(crate) reason: String,
}

pub(crate) struct HookTest {
    /// A value of `--hooks`, `BASE_KIND` or [`ITERATOR_KIND`].
    pub(crate) kind: &'static str,
    /// A kernel function, a tracepoint or the root of cgroup v2.
    pub(crate) attach_point: &'static str,
    pub(crate) outcome: Result<(), String>,
}

/// Creates the maps and tries each hook.
pub(crate) fn test_hooks(loader: &Loader) -> HookTests {
    let all = HookSet { sockops: true, fentry: true, kprobe: true, tracepoint: true };
    let mut ebpf = match loader.create_maps(loader.switches(all)) {
        Ok(ebpf) => ebpf,
        Err(error) => return HookTests { maps: Err(maps_refused(&error)), hooks: Vec::new() },
    };
    let root = cgroup::open_root();
    let attempts = attach::try_each(&mut ebpf, &loader.facts.btf, loader.facts.points, root.as_ref().ok());
    let mut hooks: Vec<_> = attempts
        .into_iter()
        .map(|(kind, attach_point, outcome)| {
            let outcome = match &root {
                Err(why) if kind == "sockops" => Err(why.clone()),
                _ => outcome.map_err(|error| refusal(&error).to_string()),
            };
            HookTest { kind, attach_point, outcome }
        })
        .collect();
    let outcome = test_iterator(loader, &mut ebpf).map_err(|error| refusal(&error).to_string());
    hooks.push(HookTest { kind: ITERATOR_KIND, attach_point: "tcp", outcome });
    HookTests { maps: Ok(()), hooks }
}

fn test_iterator(loader: &Loader, ebpf: &mut Ebpf) -> anyhow::Result<()> {
    let owners = HashMap::try_from(take_map(ebpf, "OWNERS")?)?;
    let states = HashMap::try_from(take_map(ebpf, "STATES")?)?;
    Inventory::new(ebpf, &loader.facts.btf, owners, states).map(drop)
}

fn maps_refused(error: &anyhow::Error) -> MapsRefused {
    let map = error.chain().find_map(|cause| match cause.downcast_ref::<EbpfError>() {
        Some(EbpfError::MapError(MapError::CreateError { name, .. })) => Some(name.clone()),
        _ => None,
    });
    MapsRefused { map, reason: format!("{error:#}") }
}
