//! Every hook by itself, for `doctor`: what of the sets this kernel would take.

use aya::{
    Ebpf, EbpfError,
    maps::{HashMap, MapError},
};

use super::{Loader, map, refused};
use crate::{
    host::cgroup,
    kernel::{HookSet, hooks, inventory::Inventory},
};

/// What lists sockets that are there already.
pub(crate) const ITERATOR_KIND: &str = "iterator";

/// What came of trying.
pub(crate) struct Trial {
    pub(crate) maps: Result<(), MapsRefused>,
    /// Nothing without maps.
    pub(crate) hooks: Vec<TriedHook>,
}

pub(crate) struct MapsRefused {
    /// The map that could not be created, where it is known.
    pub(crate) map: Option<String>,
    pub(crate) reason: String,
}

/// A hook that was tried by itself.
pub(crate) struct TriedHook {
    /// As `--hooks` names it, or `BASE_KIND`, or [`ITERATOR_KIND`].
    pub(crate) kind: &'static str,
    /// The function or tracepoint.
    pub(crate) place: &'static str,
    pub(crate) outcome: Result<(), String>,
}

impl Loader<'_> {
    /// Creates the maps, and tries each hook.
    pub(crate) fn try_each(&self) -> Trial {
        let all = HookSet { sockops: true, fentry: true, kprobe: true, tracepoint: true };
        let mut ebpf = match self.create(self.switches(all)) {
            Ok(ebpf) => ebpf,
            Err(error) => return Trial { maps: Err(maps_refused(&error)), hooks: Vec::new() },
        };
        let root = cgroup::open_root();
        let tried = hooks::try_each(&mut ebpf, &self.facts.btf, self.facts.places, root.as_ref().ok());
        let mut hooks: Vec<_> = tried
            .into_iter()
            .map(|(kind, place, outcome)| {
                let outcome = match &root {
                    Err(why) if kind == "sockops" => Err(why.clone()),
                    _ => outcome.map_err(|error| refused(&error).to_string()),
                };
                TriedHook { kind, place, outcome }
            })
            .collect();
        let outcome = self.try_iterator(&mut ebpf).map_err(|error| refused(&error).to_string());
        hooks.push(TriedHook { kind: ITERATOR_KIND, place: "tcp", outcome });
        Trial { maps: Ok(()), hooks }
    }

    fn try_iterator(&self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        let owners = HashMap::try_from(map(ebpf, "OWNERS")?)?;
        let states = HashMap::try_from(map(ebpf, "STATES")?)?;
        Inventory::new(ebpf, &self.facts.btf, owners, states).map(drop)
    }
}

fn maps_refused(error: &anyhow::Error) -> MapsRefused {
    let map = error.chain().find_map(|cause| match cause.downcast_ref::<EbpfError>() {
        Some(EbpfError::MapError(MapError::CreateError { name, .. })) => Some(name.clone()),
        _ => None,
    });
    MapsRefused { map, reason: format!("{error:#}") }
}
