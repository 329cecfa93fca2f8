//! Where the fields are in the running kernel, from its type information (BTF).
//!
//! rustc emits no CO-RE relocations, and an offset of another kernel would be wrong without any error, so every offset
//! is looked up at start and handed to the programs as a frozen constant.

use std::collections::{HashMap, HashSet};

use anyhow::{anyhow, bail};
use tcp_reuse_watch_ebpf::{ABSENT, Offsets, Switches};

use super::{
    btf::{Kind, Named, Source, Types},
    hooks::{self, PAGES, Places, SEND_TRACEPOINT},
};
use crate::exit::NotPermitted;

/// Missing fields that an error names.
const NAMED: usize = 5;

/// How a send's bytes are given to the kernel.
const ITER_TYPE: Named<'static> = (Kind::Enum, "iter_type");

/// Which helpers there are for programs.
const HELPERS: Named<'static> = (Kind::Enum, "bpf_func_id");

/// The type information of the running kernel.
pub(crate) struct KernelTypes<'a> {
    /// How messages name it.
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
        let wanted: HashSet<Named> = structs.chain([ITER_TYPE, HELPERS]).chain(hooks::places()).collect();
        let ids = types.ids(&wanted);
        Ok(Self { source: source.name(), types, ids })
    }

    /// As BTF that has no more than what programs hang on, for aya to read.
    pub(super) fn of_places(&self) -> Vec<u8> {
        let places: HashSet<Named> = hooks::places().collect();
        let ids = self.ids.iter().filter(|(named, _)| places.contains(*named)).map(|(_, id)| *id).collect();
        self.types.only(&ids)
    }

    /// Every offset that the programs use.
    pub(super) fn offsets(&self) -> anyhow::Result<Offsets> {
        let missing = self.missing_fields();
        if !missing.is_empty() {
            let (named, more) = missing.split_at(missing.len().min(NAMED));
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            bail!(NotPermitted(format!("not supported: {} has no field {}{more}", self.source, named.join(", "))));
        }
        let mut offsets = Offsets::UNSET;
        for (paths, set) in Offsets::FIELDS {
            set(&mut offsets, self.offset_of_any(paths).unwrap_or(ABSENT));
        }
        Ok(offsets)
    }

    /// The fields that the programs cannot do without, and that are not there.
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

    /// The offset of the first of these fields that is there.
    fn offset_of_any(&self, paths: &str) -> Option<u32> {
        paths.split('|').find_map(|path| self.offset_of(path))
    }

    /// Bytes from the start of `struct` to the field; None if either is not there, or the field is a bit field.
    fn offset_of(&self, path: &str) -> Option<u32> {
        let (structure, field) = path.split_once('.')?;
        self.types.offset_of(*self.ids.get(&(Kind::Struct, structure))?, field)
    }

    /// What hooks can hang on.
    pub(super) fn places(&self) -> Places {
        let has = |named: Named| self.ids.contains_key(&named);
        Places { send_tracepoint: has((Kind::Tracepoint, SEND_TRACEPOINT)), pages: has((Kind::Function, PAGES)) }
    }

    fn enumerator(&self, enumeration: Named, name: &str) -> Option<u32> {
        self.types.enumerator(*self.ids.get(&enumeration)?, name)
    }

    /// Whether the helper `bpf_task_pt_regs` is there, for programs of tracepoints.
    pub(super) fn has_task_regs(&self) -> bool {
        self.enumerator(HELPERS, "BPF_FUNC_task_pt_regs").is_some()
    }

    /// The values of `enum iter_type`, which differ from version to version.
    pub(super) fn set_iter_types(&self, switches: &mut Switches) {
        let value = |name: &str| self.enumerator(ITER_TYPE, name).unwrap_or(ABSENT);
        switches.iter_ubuf = value("ITER_UBUF");
        switches.iter_iovec = value("ITER_IOVEC");
        switches.iter_kvec = value("ITER_KVEC");
        // Until 5.13 the field was `type`, with READ or WRITE in its lowest bit.
        switches.iter_type_mask = if self.offset_of("msghdr.msg_iter.iter_type").is_some() { ABSENT } else { !1 };
    }
}
