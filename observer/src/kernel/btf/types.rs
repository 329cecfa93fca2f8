//! Lookups in the type information: types by name, and offsets of fields. One pass over the 100,000 records finds all
//! names. Records are read in place, because unpacking all of them, as other parsers do, takes 0.1 s.

use std::collections::{HashMap, HashSet};

use super::records::{self, ENUM, FUNC, FWD, RECORD_BYTES, Record, Records, STRUCT, TYPEDEF, UNION, u32_at};

/// Levels of anonymous structs and aliases between a struct and its field. No kernel has that many.
const MAX_DEPTH: u32 = 32;

/// A kind of named type. Types of different kinds may share a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Struct,
    Enum,
    Function,
    /// Represented by a typedef of its prototype, `btf_trace_NAME`.
    Tracepoint,
}

pub(crate) type Named<'n> = (Kind, &'n str);

pub(crate) struct Types<'a> {
    records: Records<'a>,
}

impl<'a> Types<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        Ok(Self { records: Records::find(bytes)? })
    }

    fn record(&self, id: u32) -> Option<(usize, Record)> {
        let at = self.records.begin_of(id as usize)?;
        Some((at, Record::read(self.records.bytes, at).ok()?))
    }

    fn word_at(&self, at: usize) -> Option<u32> {
        u32_at(self.records.bytes, at).ok().map(|word| word as u32)
    }

    fn named(&self, at: usize) -> Option<Named<'a>> {
        let kind = match Record::read(self.records.bytes, at).ok()?.kind {
            STRUCT => Kind::Struct,
            ENUM => Kind::Enum,
            FUNC => Kind::Function,
            TYPEDEF => Kind::Tracepoint,
            _ => return None,
        };
        let name = str::from_utf8(self.records.name_at(at)).ok()?;
        Some((kind, if kind == Kind::Tracepoint { name.strip_prefix("btf_trace_")? } else { name }))
    }

    /// The ids of the `wanted` types that exist. The first one wins if several share a name.
    pub(crate) fn ids(&self, wanted: &HashSet<Named<'a>>) -> HashMap<Named<'a>, u32> {
        let mut ids = HashMap::with_capacity(wanted.len());
        for (at, id) in self.records.begins.iter().zip(1..) {
            if let Some(named) = self.named(*at).and_then(|named| wanted.get(&named)) {
                ids.entry(*named).or_insert(id);
            }
        }
        ids
    }

    /// Bytes from the start of a struct to the field at `path`, which joins the names of members with dots. None if the
    /// field is missing or a bit field.
    pub(crate) fn offset_of(&self, structure: u32, path: &str) -> Option<u32> {
        let bits = self.bits_to(structure, path, MAX_DEPTH)?;
        (bits % 8 == 0).then_some(bits / 8)
    }

    fn bits_to(&self, structure: u32, path: &str, depth: u32) -> Option<u32> {
        let (structure, depth) = (self.without_aliases(structure), depth.checked_sub(1)?);
        let (at, record) = self.record(structure)?;
        if !matches!(record.kind, STRUCT | UNION) {
            return None;
        }
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        (0..record.count).find_map(|n| {
            let member = at + RECORD_BYTES + n * record.stride();
            let found = self.records.name_at(member);
            let (id, place) = (self.word_at(member + 4)?, self.word_at(member + 8)?);
            let (bits, bit_field) = if record.has_bit_fields { (place & 0x00FF_FFFF, place >> 24) } else { (place, 0) };
            let within = if found.is_empty() {
                // Members of an anonymous struct or union belong to the enclosing one.
                self.bits_to(id, path, depth)?
            } else if found != name.as_bytes() || bit_field > 0 {
                return None;
            } else {
                rest.map_or(Some(0), |rest| self.bits_to(id, rest, depth))?
            };
            bits.checked_add(within)
        })
    }

    /// Resolves aliases of a type (`typedef`, `const` and the like).
    fn without_aliases(&self, id: u32) -> u32 {
        let aliased = |id: &u32| {
            let (at, record) = self.record(*id)?;
            (!matches!(record.kind, STRUCT | UNION | FWD)).then_some(())?;
            self.word_at(record.part(at, 0)?)
        };
        std::iter::successors(Some(id), aliased).take(MAX_DEPTH as usize).last().unwrap_or(id)
    }

    /// The value of an enumerator.
    pub(crate) fn enumerator(&self, enumeration: u32, name: &str) -> Option<u32> {
        let (at, record) = self.record(enumeration)?;
        let mut values = (0..record.count).map(|n| at + RECORD_BYTES + n * record.stride());
        let value = values.find(|value| self.records.name_at(*value) == name.as_bytes())?;
        self.word_at(value + 4)
    }

    /// BTF in which only these types remain, under their own ids. The others become empty placeholders, so aya, which
    /// looks up ids by name, has little to parse.
    pub(crate) fn reduced_to(&self, ids: &HashSet<u32>) -> Vec<u8> {
        let mut types = Vec::with_capacity(self.records.begins.len() * RECORD_BYTES);
        let mut strings = vec![0];
        for (at, id) in self.records.begins.iter().zip(1..) {
            let mut words = [0, u32::from(FWD) << 24, 0];
            if ids.contains(&id)
                && let Some(record) = self.records.bytes.get(*at..).and_then(<[u8]>::first_chunk::<RECORD_BYTES>)
            {
                words = bytemuck::cast(*record);
                words[0] = strings.len() as u32;
                strings.extend(self.records.name_at(*at));
                strings.push(0);
            }
            types.extend_from_slice(bytemuck::bytes_of(&words));
        }
        records::write(&types, &strings)
    }
}

#[cfg(test)]
mod tests;
