//! Executables written byte by byte, and what may be made of them to harm.

use super::Image;

/// An image that adds up what is read of it.
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    read: usize,
    reads: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn of(all: &'a [u8]) -> Self {
        Self { all, read: 0, reads: 0 }
    }

    pub(super) fn assert_read_at_most(&self, reads: usize, bytes: usize) {
        assert!(self.reads <= reads && self.read <= bytes, "{} bytes in {} reads", self.read, self.reads);
    }
}

impl Image for Bytes<'_> {
    fn read(&mut self, offset: u64, len: usize) -> Vec<u8> {
        self.reads += 1;
        self.read += len;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.all.len());
        self.all[start..start.saturating_add(len).min(self.all.len())].to_vec()
    }
}

/// How wide the addresses of an executable are, and their order.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) word: usize,
    pub(super) is_big: bool,
}

pub(super) const AMD64: Kind = Kind { word: 8, is_big: false };
pub(super) const KINDS: [Kind; 4] =
    [AMD64, Kind { word: 4, is_big: false }, Kind { word: 8, is_big: true }, Kind { word: 4, is_big: true }];

/// Where the data is in the file, and when it is loaded.
const DATA: usize = 0x200;
pub(super) const ADDRESS: usize = 0x40_0000;

impl Kind {
    fn number(self, value: usize, len: usize) -> Vec<u8> {
        let mut bytes = (value as u64).to_le_bytes()[..len].to_vec();
        if self.is_big {
            bytes.reverse();
        }
        bytes
    }

    /// Fields of these widths; 0 stands for an address's.
    pub(super) fn fields(self, fields: &[(usize, usize)]) -> Vec<u8> {
        fields.iter().flat_map(|(len, value)| self.number(*value, if *len == 0 { self.word } else { *len })).collect()
    }

    fn segment(self, len: usize) -> Vec<u8> {
        let (kind, flags) = ((4, 1), (4, 6));
        let place = [(0, DATA), (0, ADDRESS), (0, ADDRESS), (0, len), (0, len)];
        let [offset, address, physical, file, memory] = place;
        if self.word == 8 {
            self.fields(&[kind, flags, offset, address, physical, file, memory, (0, 16)])
        } else {
            self.fields(&[kind, offset, address, physical, file, memory, flags, (0, 16)])
        }
    }

    fn section(self, name: usize, offset: usize, len: usize) -> Vec<u8> {
        self.fields(&[(4, name), (4, 1), (0, 0), (0, 0), (0, offset), (0, len), (4, 0), (4, 0), (0, 0), (0, 0)])
    }

    /// An executable with this data, of which a section of this name begins so far in, if it has sections at all.
    pub(super) fn executable(self, name: &[u8], data: &[u8], section: Option<usize>) -> Vec<u8> {
        let (header, program, sections) = if self.word == 8 { (64, 56, 64) } else { (52, 32, 40) };
        let names = [b"\0.shstrtab\0", name, b"\0"].concat();
        let names_at = DATA + data.len();
        let table = names_at + names.len();
        let mut file = vec![0x7f, b'E', b'L', b'F', if self.word == 8 { 2 } else { 1 }, 1 + u8::from(self.is_big), 1];
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

/// Reads a file that ends at each place, and one with what hurts most in each byte.
pub(super) fn lies_of(mut file: Vec<u8>, read: impl Fn(&[u8])) {
    for len in 0..file.len() {
        read(&file[..len]);
    }
    for index in 0..file.len() {
        let right = file[index];
        for wrong in [0, 1, 0x7f, 0x80, 0xff, right ^ 0x10] {
            file[index] = wrong;
            read(&file);
        }
        // Up to eight bytes are one number.
        let end = (index + 8).min(file.len());
        let before = file[index..end].to_vec();
        file[index..end].fill(0xff);
        read(&file);
        file[index..end].copy_from_slice(&before);
        file[index] = right;
    }
}
