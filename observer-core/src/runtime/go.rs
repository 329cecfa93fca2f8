//! Detects executables built by Go from the build information that its linker writes into each of them, in the way of
//! Go's own debug/buildinfo.

use super::{
    elf::{Elf, ReadAt},
    go_version::GoVersion,
    kind::Runtime,
};

const SECTION: &[u8] = b".go.buildinfo";
const MAGIC: &[u8] = b"\xff Go buildinf:";

/// The build information starts at a multiple of this.
const ALIGNMENT: usize = 16;

/// How far into the section or data segment Go itself searches for it.
const SEARCH_BYTES: usize = 1 << 16;

/// Size of the fixed part. Since Go 1.18 the version follows it.
const HEADER_BYTES: usize = 32;

/// A longer version string is cut off here, because only its beginning matters.
const MAX_VERSION_BYTES: usize = 64;

/// Returns Go if it built the executable, with its version if that is readable.
pub(super) fn detect(file: &mut impl ReadAt) -> Option<Runtime> {
    let elf = Elf::read(file, SECTION)?;
    let start = elf.section_or_data()?;
    let bytes = file.read_at(start, SEARCH_BYTES + HEADER_BYTES + 1 + MAX_VERSION_BYTES);
    let at = (0..bytes.len()).step_by(ALIGNMENT).find(|at| bytes[*at..].starts_with(MAGIC))?;
    Some(Runtime::Go(version(&bytes[at..], &elf, file)))
}

fn version(build_info: &[u8], elf: &Elf, file: &mut impl ReadAt) -> Option<GoVersion> {
    let flags = build_info.get(15)?;
    if flags & 2 != 0 {
        return GoVersion::parse(inline_string(build_info.get(HEADER_BYTES..)?)?);
    }
    // Before Go 1.18: the address of a string header, which consists of an address and a length.
    let words = Words { bytes: usize::from(*build_info.get(14)?), is_big_endian: flags & 1 != 0 };
    let string = file.read_at(elf.offset_of(words.nth(&build_info[16..], 0)?)?, 2 * words.bytes);
    let len = usize::try_from(words.nth(&string, 1)?).ok()?.min(MAX_VERSION_BYTES);
    GoVersion::parse(&file.read_at(elf.offset_of(words.nth(&string, 0)?)?, len))
}

/// A string prefixed with its length as a varint, cut off after [`MAX_VERSION_BYTES`].
fn inline_string(bytes: &[u8]) -> Option<&[u8]> {
    let mut len = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let text = &bytes[index + 1..];
            return Some(&text[..len.min(text.len()).min(MAX_VERSION_BYTES)]);
        }
    }
    None
}

/// Decodes words of the executable's address size and byte order.
struct Words {
    bytes: usize,
    is_big_endian: bool,
}

impl Words {
    fn nth(&self, bytes: &[u8], index: usize) -> Option<u64> {
        if !matches!(self.bytes, 4 | 8) {
            return None;
        }
        let bytes = bytes.get(index * self.bytes..(index + 1) * self.bytes)?;
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.is_big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }
}

#[cfg(test)]
mod tests;
