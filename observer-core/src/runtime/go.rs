//! What Go's linker writes into every executable: which version of Go built it. As in Go's own debug/buildinfo.

use std::fmt;

use super::{
    Runtime,
    elf::{Elf, Image},
};

const SECTION: &[u8] = b".go.buildinfo";
const MAGIC: &[u8] = b"\xff Go buildinf:";

/// The information begins at such a place.
const ALIGNMENT: usize = 16;

/// How far into the section, or the data segment, Go itself looks for it.
const SEARCHED: usize = 1 << 16;

/// Its fixed part; since 1.18 the version follows.
const HEADER: usize = 32;

/// The end of a version that is longer does not matter.
const MOST_VERSION: usize = 64;

/// A release of Go; betas and release candidates count as the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoVersion {
    pub major: u16,
    pub minor: u16,
    pub patch: Option<u16>,
}

impl GoVersion {
    /// As it is displayed.
    pub(super) fn named(version: &str) -> Option<Self> {
        Self::parse(format!("go{version}").as_bytes())
    }

    /// `go1.19.8`, `go1.22`, `go1.21rc2`, `devel go1.25-a1b2c3 Mon ...`, `go1.21.0 X:boringcrypto`.
    fn parse(text: &[u8]) -> Option<Self> {
        let start = text.windows(2).position(|word| word == b"go")? + 2;
        let (major, rest) = number(&text[start..])?;
        let (minor, rest) = number(rest.strip_prefix(b".")?)?;
        let patch = rest.strip_prefix(b".").and_then(number).map(|(patch, _)| patch);
        Some(Self { major, minor, patch })
    }
}

/// A number, and what is behind it.
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

/// Go, if that built it; with its version, if that can be read.
pub(super) fn built_by(image: &mut impl Image) -> Option<Runtime> {
    let elf = Elf::read(image, SECTION)?;
    let start = elf.section_or_data()?;
    let bytes = image.read(start, SEARCHED + HEADER + 1 + MOST_VERSION);
    let at = (0..bytes.len()).step_by(ALIGNMENT).find(|at| bytes[*at..].starts_with(MAGIC))?;
    Some(Runtime::Go(version(&bytes[at..], &elf, image)))
}

fn version(information: &[u8], elf: &Elf, image: &mut impl Image) -> Option<GoVersion> {
    let flags = information.get(15)?;
    if flags & 2 != 0 {
        return GoVersion::parse(inline(information.get(HEADER..)?)?);
    }
    // Before 1.18: the address of a string, which is an address and a length.
    let words = Words { size: usize::from(*information.get(14)?), is_big: flags & 1 != 0 };
    let string = image.read(elf.offset_of(words.nth(&information[16..], 0)?)?, 2 * words.size);
    let len = usize::try_from(words.nth(&string, 1)?).ok()?.min(MOST_VERSION);
    GoVersion::parse(&image.read(elf.offset_of(words.nth(&string, 0)?)?, len))
}

/// A string behind its length, as much of it as is of interest.
fn inline(bytes: &[u8]) -> Option<&[u8]> {
    let mut len = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let text = &bytes[index + 1..];
            return Some(&text[..len.min(text.len()).min(MOST_VERSION)]);
        }
    }
    None
}

/// Numbers as wide as the program's addresses.
struct Words {
    size: usize,
    is_big: bool,
}

impl Words {
    fn nth(&self, bytes: &[u8], index: usize) -> Option<u64> {
        if !matches!(self.size, 4 | 8) {
            return None;
        }
        let bytes = bytes.get(index * self.size..(index + 1) * self.size)?;
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.is_big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }
}

#[cfg(test)]
mod tests;
