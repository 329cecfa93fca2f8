//! Finds sections and segments in an ELF file. The file may be malicious, so its contents decide neither the number nor
//! the size of reads, and both are small.

use object::{
    Endianness,
    elf::{FileHeader32, FileHeader64, PF_W, PF_X, PT_LOAD},
    pod::{Pod, from_bytes, slice_from_all_bytes},
    read::elf::{FileHeader, ProgramHeader as _, SectionHeader as _},
};

/// More headers than linkers write. Further ones are ignored.
const MAX_HEADERS: usize = 256;

/// How much of the section names is read.
const MAX_NAMES_BYTES: usize = 1 << 14;

/// Random access to the bytes of an executable.
pub trait ReadAt {
    /// Reads up to `len` bytes from this offset. Returns fewer at the end of the file and on an error.
    fn read_at(&mut self, offset: u64, len: usize) -> Vec<u8>;
}

/// A loadable segment.
#[derive(Clone, Copy)]
struct Segment {
    offset: u64,
    address: u64,
    len: u64,
    is_data: bool,
}

/// The parts of an ELF file's headers that are of interest. None of their values is trustworthy.
pub(super) struct Elf {
    segments: Vec<Segment>,
    section: Option<Section>,
}

/// The location of the requested section in the file, as the headers claim it.
#[derive(Clone, Copy)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Elf {
    /// Reads the headers and looks up the section of this name. None if this is not an ELF file.
    pub(super) fn read(file: &mut impl ReadAt, section: &[u8]) -> Option<Self> {
        match file.read_at(0, 5).as_slice() {
            b"\x7fELF\x01" => Self::read_as::<FileHeader32<Endianness>>(file, section),
            b"\x7fELF\x02" => Self::read_as::<FileHeader64<Endianness>>(file, section),
            _ => None,
        }
    }

    fn read_as<H: FileHeader<Endian = Endianness>>(file: &mut impl ReadAt, section: &[u8]) -> Option<Self> {
        let bytes = file.read_at(0, size_of::<H>());
        let header = from_bytes::<H>(&bytes).ok()?.0;
        let endian = header.endian().ok()?;
        let programs = table::<H::ProgramHeader>(
            file,
            header.e_phoff(endian).into(),
            header.e_phentsize(endian),
            header.e_phnum(endian),
        );
        let segments = programs.iter().filter(|program| program.p_type(endian) == PT_LOAD).map(|program| Segment {
            offset: program.p_offset(endian).into(),
            address: program.p_vaddr(endian).into(),
            len: program.p_filesz(endian).into(),
            is_data: program.p_flags(endian) & (PF_W | PF_X) == PF_W,
        });
        Some(Self { segments: segments.collect(), section: section_named(header, endian, file, section) })
    }

    pub(super) fn section(&self) -> Option<Section> {
        self.section
    }

    /// The file offset of the section, otherwise of the first data segment.
    pub(super) fn section_or_data(&self) -> Option<u64> {
        let section = self.section.map(|section| section.offset);
        section.or_else(|| Some(self.segments.iter().find(|segment| segment.is_data)?.offset))
    }

    /// The file offset of an address in the running program.
    pub(super) fn offset_of(&self, address: u64) -> Option<u64> {
        let segment = self
            .segments
            .iter()
            .find(|segment| address.checked_sub(segment.address).is_some_and(|distance| distance < segment.len))?;
        segment.offset.checked_add(address - segment.address)
    }
}

fn section_named<H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    file: &mut impl ReadAt,
    wanted: &[u8],
) -> Option<Section> {
    let (offset, size) = (header.e_shoff(endian).into(), header.e_shentsize(endian));
    let sections = table::<H::SectionHeader>(file, offset, size, header.e_shnum(endian));
    let names = sections.get(usize::from(header.e_shstrndx(endian)))?;
    let names = file.read_at(names.sh_offset(endian).into(), MAX_NAMES_BYTES);
    let is_wanted = |section: &&H::SectionHeader| {
        let name = names.get(section.sh_name(endian) as usize..).unwrap_or_default();
        name.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&0))
    };
    let section = sections.iter().find(is_wanted)?;
    Some(Section { offset: section.sh_offset(endian).into(), len: section.sh_size(endian).into() })
}

/// A table of headers, cut off after [`MAX_HEADERS`]; empty if its entries have an unexpected size.
fn table<T: Pod + Copy>(file: &mut impl ReadAt, offset: u64, entry_size: u16, entries: u16) -> Vec<T> {
    if usize::from(entry_size) != size_of::<T>() {
        return Vec::new();
    }
    let mut bytes = file.read_at(offset, usize::from(entries).min(MAX_HEADERS) * size_of::<T>());
    bytes.truncate(bytes.len() / size_of::<T>() * size_of::<T>());
    slice_from_all_bytes::<T>(&bytes).map(<[T]>::to_vec).unwrap_or_default()
}
