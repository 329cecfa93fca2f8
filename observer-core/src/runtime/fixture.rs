//! Synthetic executables, and corruptions of them.

use super::elf::ReadAt;

/// A file in memory that counts the reads.
pub(super) struct FakeFile<'a> {
    contents: &'a [u8],
    reads: usize,
    bytes_read: usize,
}

impl<'a> FakeFile<'a> {
    pub(super) fn new(contents: &'a [u8]) -> Self {
        Self { contents, reads: 0, bytes_read: 0 }
    }

    pub(super) fn assert_read_at_most(&self, reads: usize, bytes: usize) {
        let is_within = self.reads <= reads && self.bytes_read <= bytes;
        assert!(is_within, "{} bytes in {} reads", self.bytes_read, self.reads);
    }
}

impl ReadAt for FakeFile<'_> {
    fn read_at(&mut self, offset: u64, len: usize) -> Vec<u8> {
        self.reads += 1;
        self.bytes_read += len;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.contents.len());
        self.contents[start..start.saturating_add(len).min(self.contents.len())].to_vec()
    }
}

/// The address size and byte order of an executable.
#[derive(Clone, Copy)]
pub(super) struct Abi {
    pub(super) word_bytes: usize,
    pub(super) is_big_endian: bool,
}

pub(super) const AMD64: Abi = Abi { word_bytes: 8, is_big_endian: false };
pub(super) const ABIS: [Abi; 4] = [
    AMD64,
    Abi { word_bytes: 4, is_big_endian: false },
    Abi { word_bytes: 8, is_big_endian: true },
    Abi { word_bytes: 4, is_big_endian: true },
];

/// File offset of the data.
const DATA: usize = 0x200;
/// Address of the data once it is loaded.
pub(super) const ADDRESS: usize = 0x40_0000;

impl Abi {
    fn number(self, value: usize, len: usize) -> Vec<u8> {
        let mut bytes = (value as u64).to_le_bytes()[..len].to_vec();
        if self.is_big_endian {
            bytes.reverse();
        }
        bytes
    }

    /// Encodes fields, each with its width in bytes and its value. Width 0 stands for the width of an address.
    pub(super) fn fields(self, fields: &[(usize, usize)]) -> Vec<u8> {
        fields
            .iter()
            .flat_map(|(len, value)| self.number(*value, if *len == 0 { self.word_bytes } else { *len }))
            .collect()
    }

    fn segment(self, len: usize) -> Vec<u8> {
        let (kind, flags) = ((4, 1), (4, 6));
        let place = [(0, DATA), (0, ADDRESS), (0, ADDRESS), (0, len), (0, len)];
        let [offset, address, physical, file, memory] = place;
        if self.word_bytes == 8 {
            self.fields(&[kind, flags, offset, address, physical, file, memory, (0, 16)])
        } else {
            self.fields(&[kind, offset, address, physical, file, memory, flags, (0, 16)])
        }
    }

    fn section(self, name: usize, offset: usize, len: usize) -> Vec<u8> {
        self.fields(&[(4, name), (4, 1), (0, 0), (0, 0), (0, offset), (0, len), (4, 0), (4, 0), (0, 0), (0, 0)])
    }

    /// An executable with this data. If `section` is Some, a section of this name starts at that offset in the data;
    /// otherwise the file has no sections.
    pub(super) fn executable(self, name: &[u8], data: &[u8], section: Option<usize>) -> Vec<u8> {
        let (header, program, sections) = if self.word_bytes == 8 { (64, 56, 64) } else { (52, 32, 40) };
        let names = [b"\0.shstrtab\0", name, b"\0"].concat();
        let names_at = DATA + data.len();
        let table = names_at + names.len();
        let mut file =
            vec![0x7f, b'E', b'L', b'F', if self.word_bytes == 8 { 2 } else { 1 }, 1 + u8::from(self.is_big_endian), 1];
        file.resize(16, 0);
        let count = if section.is_some() { 3 } else { 0 };
        file.extend(self.fields(&[(2, 2), (2, 62), (4, 1), (0, ADDRESS), (0, header), (0, table), (4, 0)]));
        file.extend(self.fields(&[(2, header), (2, program), (2, 1), (2, sections), (2, count), (2, count.min(1))]));
        assert_eq!(file.len(), header);
        file.extend(self.segment(data.len()));
        file.resize(DATA, 0);
        file.extend(data);
        let start = section.unwrap_or(0);
        file.extend(&names);
        file.extend(self.section(0, 0, 0));
        file.extend(self.section(1, names_at, names.len()));
        file.extend(self.section(11, DATA + start, data.len() - start));
        file
    }
}

/// Reads the file cut off at each length, and with each byte replaced by values that are likely to do harm.
pub(super) fn for_each_corruption(mut file: Vec<u8>, read: impl Fn(&[u8])) {
    for len in 0..file.len() {
        read(&file[..len]);
    }
    for index in 0..file.len() {
        let original = file[index];
        for corrupt in [0, 1, 0x7f, 0x80, 0xff, original ^ 0x10] {
            file[index] = corrupt;
            read(&file);
        }
        // Numbers have up to 8 bytes.
        let end = (index + 8).min(file.len());
        let before = file[index..end].to_vec();
        file[index..end].fill(0xff);
        read(&file);
        file[index..end].copy_from_slice(&before);
        file[index] = original;
    }
}
