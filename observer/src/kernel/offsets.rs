//! Where the fields are in the running kernel, from its type information (BTF).
//!
//! rustc emits no CO-RE relocations, and an offset of another kernel would be wrong without any error, so every offset
//! is looked up at start and handed to the programs as a frozen constant.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, anyhow, bail};
use btfparse::{Integer32Value, Offset, Readable, TypeInformation, TypeVariant};
use tcp_reuse_watch_ebpf::{ABSENT, Offsets, Switches};

use super::{
    btf::Source,
    hooks::{PAGES, Places, SEND_TRACEPOINT},
};
use crate::exit::NotPermitted;

/// Missing fields that an error names.
const NAMED: usize = 5;

/// The type information of the running kernel.
pub(crate) struct KernelTypes {
    /// How messages name it.
    source: String,
    types: TypeInformation,
    /// By name; found once, because there are a hundred thousand types to search.
    structs: HashMap<String, u32>,
}

/// What btfparse reads from.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Readable for Bytes<'_> {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.0.get(start..start.checked_add(buffer.len())?))
            .ok_or_else(|| btfparse::Error::new(btfparse::ErrorKind::IOError, "the type information ends early"))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl KernelTypes {
    pub(crate) fn read(source: &Source) -> anyhow::Result<Self> {
        let types = TypeInformation::new(&Bytes(&source.bytes))
            .map_err(|error| anyhow!("{error:?}"))
            .with_context(|| format!("cannot read the type information in {}", source.path.display()))?;
        let paths = Offsets::FIELDS.iter().flat_map(|(paths, _)| paths.split('|'));
        let wanted: HashSet<&str> = paths.filter_map(|path| Some(path.split_once('.')?.0)).collect();
        let structs = types
            .get()
            .iter()
            .filter_map(|(id, variant)| match variant {
                // A function or a variable may bear the same name.
                TypeVariant::Struct(structure) => Some((structure.name().as_deref()?, *id)),
                _ => None,
            })
            .filter(|(name, _)| wanted.contains(name))
            .map(|(name, id)| (name.to_string(), id))
            .collect();
        Ok(Self { source: source.name(), types, structs })
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
        match self.types.offset_of(*self.structs.get(structure)?, field) {
            Ok((_, Offset::ByteOffset(offset))) => Some(offset),
            _ => None,
        }
    }

    /// What hooks can hang on.
    pub(super) fn places(&self) -> Places {
        let has = |name: &str| self.types.id_of(name).is_some();
        Places { send_tracepoint: has(&format!("btf_trace_{SEND_TRACEPOINT}")), pages: has(PAGES) }
    }

    /// The values of `enum iter_type`, which differ from version to version.
    pub(super) fn set_iter_types(&self, switches: &mut Switches) {
        let value = |name: &str| self.enumerator("iter_type", name).unwrap_or(ABSENT);
        switches.iter_ubuf = value("ITER_UBUF");
        switches.iter_iovec = value("ITER_IOVEC");
        switches.iter_kvec = value("ITER_KVEC");
        // Until 5.13 the field was `type`, with READ or WRITE in its lowest bit.
        switches.iter_type_mask = if self.offset_of("msghdr.msg_iter.iter_type").is_some() { ABSENT } else { !1 };
    }

    fn enumerator(&self, enumeration: &str, name: &str) -> Option<u32> {
        let values = self.types.get().values().find_map(|variant| match variant {
            TypeVariant::Enum(found) if found.name().as_deref() == Some(enumeration) => Some(found.named_value_list()),
            _ => None,
        })?;
        let value = values.iter().find(|value| value.name == name)?;
        Some(match value.value {
            Integer32Value::Unsigned(value) => value,
            Integer32Value::Signed(value) => value.cast_unsigned(),
        })
    }
}
