//! Where in an executable something is. Of a file that may be made to harm, only small pieces are read, whose number and
//! size do not follow from what it says.

use object::{
    Endianness,
    elf::{FileHeader32, FileHeader64, PF_W, PF_X, PT_LOAD},
    pod::{Pod, from_bytes, slice_from_all_bytes},
    read::elf::{FileHeader, ProgramHeader as _, SectionHeader as _},
};

/// More than linkers write. What comes after goes unseen.
const MOST_HEADERS: usize = 256;

/// How much of the section names is read.
const MOST_NAMES: usize = 1 << 14;

/// The bytes of an executable.
pub trait Image {
    /// Up to `len` bytes from there on; fewer at the end of the file, or when it cannot be read.
    fn read(&mut self, offset: u64, len: usize) -> Vec<u8>;
}

/// A part of the file that is loaded.
#[derive(Clone, Copy)]
struct Segment {
    offset: u64,
    address: u64,
    len: u64,
    is_data: bool,
}

/// What the headers say of a file.
pub(super) struct Elf {
    segments: Vec<Segment>,
    section: Option<Section>,
}

/// Where the section that was looked for lies in the file, by its own word.
#[derive(Clone, Copy)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Elf {
    /// None if it is not an ELF file.
    pub(super) fn read(image: &mut impl Image, section: &[u8]) -> Option<Self> {
        match image.read(0, 5).as_slice() {
            b"\x7fELF\x01" => Self::read_as::<FileHeader32<Endianness>>(image, section),
            b"\x7fELF\x02" => Self::read_as::<FileHeader64<Endianness>>(image, section),
            _ => None,
        }
    }

    fn read_as<H: FileHeader<Endian = Endianness>>(image: &mut impl Image, section: &[u8]) -> Option<Self> {
        let bytes = image.read(0, size_of::<H>());
        let header = from_bytes::<H>(&bytes).ok()?.0;
        let endian = header.endian().ok()?;
        let programs = table::<H::ProgramHeader>(
            image,
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
        Some(Self { segments: segments.collect(), section: section_named(header, endian, image, section) })
    }

    pub(super) fn section(&self) -> Option<Section> {
        self.section
    }

    /// Where the section begins in the file, else where the first data segment does.
    pub(super) fn section_or_data(&self) -> Option<u64> {
        let section = self.section.map(|section| section.offset);
        section.or_else(|| Some(self.segments.iter().find(|segment| segment.is_data)?.offset))
    }

    /// Where in the file an address of the running program comes from.
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
    image: &mut impl Image,
    wanted: &[u8],
) -> Option<Section> {
    let (offset, size) = (header.e_shoff(endian).into(), header.e_shentsize(endian));
    let sections = table::<H::SectionHeader>(image, offset, size, header.e_shnum(endian));
    let names = sections.get(usize::from(header.e_shstrndx(endian)))?;
    let names = image.read(names.sh_offset(endian).into(), MOST_NAMES);
    let is_wanted = |section: &&H::SectionHeader| {
        let name = names.get(section.sh_name(endian) as usize..).unwrap_or_default();
        name.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&0))
    };
    let section = sections.iter().find(is_wanted)?;
    Some(Section { offset: section.sh_offset(endian).into(), len: section.sh_size(endian).into() })
}

/// A table of headers, cut after [`MOST_HEADERS`]; empty if it is not as it should be.
fn table<T: Pod + Copy>(image: &mut impl Image, offset: u64, entry_size: u16, entries: u16) -> Vec<T> {
    if usize::from(entry_size) != size_of::<T>() {
        return Vec::new();
    }
    let mut bytes = image.read(offset, usize::from(entries).min(MOST_HEADERS) * size_of::<T>());
    bytes.truncate(bytes.len() / size_of::<T>() * size_of::<T>());
    slice_from_all_bytes::<T>(&bytes).map(<[T]>::to_vec).unwrap_or_default()
}
