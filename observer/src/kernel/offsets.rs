//! Offsets of the kernel's fields, from its type information (BTF).
//!
//! rustc emits no CO-RE relocations, and another kernel's offset would silently read the wrong field. So every offset
//! is looked up at start and passed to the programs as a frozen constant.

use std::collections::{HashMap, HashSet};

use anyhow::{anyhow, bail};
use tcp_reuse_watch_ebpf::{ABSENT, Offsets, Switches};

use super::{
    btf::{Kind, Named, Source, Types},
    hooks::{self, OptionalPoints, SEND_TRACEPOINT, SENDPAGE},
};
use crate::exit::NotPermitted;

/// An error names at most this many missing fields.
const MAX_NAMED: usize = 5;

/// How a send passes its bytes to the kernel.
const ITER_TYPE: Named<'static> = (Kind::Enum, "iter_type");

/// The helpers that programs can call.
const HELPERS: Named<'static> = (Kind::Enum, "bpf_func_id");

/// The type information of the running kernel.
pub(crate) struct KernelTypes<'a> {
    /// Its name in messages.
    source: String,
    types: Types<'a>,
    ids: HashMap<Named<'a>, u32>,
}

impl<'a> KernelTypes<'a> {
    pub(crate) fn read(source: &'a Source) -> anyhow::Result<Self> {
        let types = Types::read(&source.bytes)
            .map_err(|fault| anyhow!("cannot read the type information in {}: {fault}", source.path.display()))?;
        let paths = Offsets::FIELDS.iter().flat_map(|(paths, _)| paths.split('|'));
        let structs = paths.filter_map(|path| Some((Kind::Struct, path.split_once('.')?.0)));
        let wanted: HashSet<Named> = structs.chain([ITER_TYPE, HELPERS]).chain(hooks::btf_names()).collect();
        let ids = types.ids(&wanted);
        Ok(Self { source: source.name(), types, ids })
    }

    /// BTF with the attach points only, for aya to parse.
    pub(super) fn attach_point_btf(&self) -> Vec<u8> {
        let names: HashSet<Named> = hooks::btf_names().collect();
        let ids = self.ids.iter().filter(|(named, _)| names.contains(*named)).map(|(_, id)| *id).collect();
        self.types.reduced_to(&ids)
    }

    /// Every offset that the programs use. Fails if a required field is missing.
    pub(super) fn offsets(&self) -> anyhow::Result<Offsets> {
        let missing = self.missing_fields();
        if !missing.is_empty() {
            let (named, more) = missing.split_at(missing.len().min(MAX_NAMED));
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            bail!(NotPermitted(format!("not supported: {} has no field {}{more}", self.source, named.join(", "))));
        }
        let mut offsets = Offsets::UNSET;
        for (paths, set) in Offsets::FIELDS {
            set(&mut offsets, self.offset_of_any(paths).unwrap_or(ABSENT));
        }
        Ok(offsets)
    }

    /// The required fields that this kernel lacks.
    pub(crate) fn missing_fields(&self) -> Vec<String> {
        let is_optional = |paths: &str| paths.ends_with('|');
        let is_missing = |paths: &&str| !is_optional(paths) && self.offset_of_any(paths).is_none();
        Offsets::FIELDS
            .iter()
            .map(|(paths, _)| *paths)
            .filter(is_missing)
            .map(|paths| paths.replace('|', " or "))
            .collect()
    }

    /// The offset of the first of these fields that exists.
    fn offset_of_any(&self, paths: &str) -> Option<u32> {
        paths.split('|').find_map(|path| self.offset_of(path))
    }

    /// Bytes from the start of the struct to the field. None if either is missing, or if the field is a bit field.
    fn offset_of(&self, path: &str) -> Option<u32> {
        let (structure, field) = path.split_once('.')?;
        self.types.offset_of(*self.ids.get(&(Kind::Struct, structure))?, field)
    }

    /// `lineage`: whether descendants of processes are followed.
    pub(super) fn optional_points(&self, lineage: bool) -> OptionalPoints {
        let has = |named: Named| self.ids.contains_key(&named);
        OptionalPoints {
            send_tracepoint: has((Kind::Tracepoint, SEND_TRACEPOINT)),
            sendpage: has((Kind::Function, SENDPAGE)),
            lineage,
        }
    }

    fn enumerator(&self, enumeration: Named, name: &str) -> Option<u32> {
        self.types.enumerator(*self.ids.get(&enumeration)?, name)
    }

    /// Whether tracepoint programs can call the helper `bpf_task_pt_regs`.
    pub(super) fn has_task_regs(&self) -> bool {
        self.enumerator(HELPERS, "BPF_FUNC_task_pt_regs").is_some()
    }

    /// Sets the values of `enum iter_type`, which differ between kernel versions.
    pub(super) fn set_iter_types(&self, switches: &mut Switches) {
        let value = |name: &str| self.enumerator(ITER_TYPE, name).unwrap_or(ABSENT);
        switches.iter_ubuf = value("ITER_UBUF");
        switches.iter_iovec = value("ITER_IOVEC");
        switches.iter_kvec = value("ITER_KVEC");
        // Until 5.13 the field was `type`, with READ or WRITE in its lowest bit.
        switches.iter_type_mask = if self.offset_of("msghdr.msg_iter.iter_type").is_some() { ABSENT } else { !1 };
    }
}
