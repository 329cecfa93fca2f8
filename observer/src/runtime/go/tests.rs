//! Executables written here, byte by byte, and what may be made of them to harm. Go's own are in the end-to-end tests.

use super::*;

/// An image that adds up what is read of it.
struct Bytes<'a> {
    all: &'a [u8],
    read: usize,
    reads: usize,
}

impl Image for Bytes<'_> {
    fn read(&mut self, offset: u64, len: usize) -> Vec<u8> {
        self.reads += 1;
        self.read += len;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.all.len());
        self.all[start..start.saturating_add(len).min(self.all.len())].to_vec()
    }
}

fn told(bytes: &[u8]) -> Option<Runtime> {
    let mut image = Bytes { all: bytes, read: 0, reads: 0 };
    let told = built_by(&mut image);
    assert!(image.reads <= 8 && image.read <= 200_000, "{} bytes in {} reads", image.read, image.reads);
    told
}

fn version_of(text: &str) -> Option<String> {
    GoVersion::parse(text.as_bytes()).map(|version| version.to_string())
}

/// How wide the addresses of an executable are, and their order.
#[derive(Clone, Copy)]
struct Kind {
    word: usize,
    is_big: bool,
}

const AMD64: Kind = Kind { word: 8, is_big: false };
const KINDS: [Kind; 4] =
    [AMD64, Kind { word: 4, is_big: false }, Kind { word: 8, is_big: true }, Kind { word: 4, is_big: true }];

/// Where the data is in the file, and when it is loaded.
const DATA: usize = 0x200;
const ADDRESS: usize = 0x40_0000;

impl Kind {
    fn number(self, value: usize, len: usize) -> Vec<u8> {
        let mut bytes = (value as u64).to_le_bytes()[..len].to_vec();
        if self.is_big {
            bytes.reverse();
        }
        bytes
    }

    /// Fields of these widths; 0 stands for an address's.
    fn fields(self, fields: &[(usize, usize)]) -> Vec<u8> {
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

    fn section(self, name: usize, offset: usize) -> Vec<u8> {
        self.fields(&[(4, name), (4, 1), (0, 0), (0, 0), (0, offset), (0, 64), (4, 0), (4, 0), (0, 0), (0, 0)])
    }

    /// An executable with this data, and `padding` before it that only the section tells to skip.
    fn executable(self, data: &[u8], section: Option<usize>) -> Vec<u8> {
        let (header, program, sections) = if self.word == 8 { (64, 56, 64) } else { (52, 32, 40) };
        let names = b"\0.shstrtab\0.go.buildinfo\0";
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
        file.extend(names);
        file.extend(self.section(0, 0));
        file.extend(self.section(1, names_at));
        file.extend(self.section(11, DATA + section.unwrap_or(0)));
        file
    }

    fn header(self, flags: u8) -> Vec<u8> {
        [MAGIC, &[self.word as u8, flags | u8::from(self.is_big)]].concat()
    }

    /// As Go has written it since 1.18.
    fn inline(self, version: &str) -> Vec<u8> {
        let mut data = self.header(2);
        data.resize(HEADER, 0);
        data.push(version.len() as u8);
        data.extend(version.as_bytes());
        data.resize(data.len() + 64, 0);
        data
    }

    /// As Go wrote it before.
    fn pointed(self, version: &str) -> Vec<u8> {
        let mut data = self.header(0);
        data.extend(self.fields(&[(0, ADDRESS + 64), (0, 0)]));
        data.resize(64, 0);
        data.extend(self.fields(&[(0, ADDRESS + 128), (0, version.len())]));
        data.resize(128, 0);
        data.extend(version.as_bytes());
        data
    }
}

#[test]
fn both_formats_are_read_on_every_kind_of_machine() {
    for kind in KINDS {
        let version = |major, minor, patch| Some(Runtime::Go(Some(GoVersion { major, minor, patch })));
        assert_eq!(told(&kind.executable(&kind.inline("go1.27.1"), None)), version(1, 27, Some(1)));
        assert_eq!(told(&kind.executable(&kind.pointed("go1.13"), None)), version(1, 13, None));
    }
}

/// The linker of a C library puts other data first, more than is searched.
#[test]
fn the_section_is_found_far_into_the_data() {
    for kind in KINDS {
        let mut data = vec![0; 1 << 18];
        data.extend(kind.inline("go1.19.8"));
        assert_eq!(told(&kind.executable(&data, None)), None);
        let found = told(&kind.executable(&data, Some(1 << 18)));
        assert_eq!(found.unwrap().to_string(), "Go 1.19.8");
    }
}

#[test]
fn an_unreadable_version_is_still_go() {
    assert_eq!(told(&AMD64.executable(&AMD64.inline("experimental"), None)), Some(Runtime::Go(None)));
    assert_eq!(told(&AMD64.executable(&AMD64.header(0), None)), Some(Runtime::Go(None)));
    assert_eq!(told(&AMD64.executable(&AMD64.header(2), None)), Some(Runtime::Go(None)));
    assert_eq!(told(&AMD64.executable(MAGIC, None)), Some(Runtime::Go(None)));
}

#[test]
fn anything_else_is_not_go() {
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", b"\xff Go buildinf:\x08\x02"] {
        assert_eq!(told(bytes), None);
    }
    assert_eq!(told(&AMD64.executable(&[0; 256], Some(0))), None);
    let me = std::fs::read("/proc/self/exe").unwrap();
    assert_eq!(told(&me), None, "this program, which knows the magic words");
}

#[test]
fn versions_are_read_in_all_their_forms() {
    assert_eq!(version_of("go1.19.8").unwrap(), "1.19.8");
    assert_eq!(version_of("go1.22").unwrap(), "1.22");
    assert_eq!(version_of("go1.21rc2").unwrap(), "1.21");
    assert_eq!(version_of("go1.21.0 X:boringcrypto").unwrap(), "1.21.0");
    assert_eq!(version_of("devel go1.25-a1b2c3 Mon Jan 1").unwrap(), "1.25");
    for other in ["", "go", "go1", "go1.", "gone", "1.19", "go99999999.1", "go1.\u{ff11}"] {
        assert_eq!(version_of(other), None, "{other}");
    }
}

#[test]
fn a_file_that_ends_anywhere_does_no_harm() {
    for kind in KINDS {
        for data in [kind.inline("go1.19.8"), kind.pointed("go1.13")] {
            let file = kind.executable(&data, Some(0));
            for len in 0..file.len() {
                let _ = told(&file[..len]);
            }
        }
    }
}

/// Every byte, with what hurts most in each.
#[test]
fn a_file_that_lies_does_no_harm() {
    for kind in KINDS {
        for data in [kind.inline("go1.19.8"), kind.pointed("go1.13")] {
            let mut file = kind.executable(&data, Some(0));
            for index in 0..file.len() {
                let right = file[index];
                for wrong in [0, 1, 0x7f, 0x80, 0xff, right ^ 0x10] {
                    file[index] = wrong;
                    let _ = told(&file);
                }
                // Up to eight bytes are one number.
                let end = (index + 8).min(file.len());
                let before = file[index..end].to_vec();
                file[index..end].fill(0xff);
                let _ = told(&file);
                file[index..end].copy_from_slice(&before);
                file[index] = right;
            }
        }
    }
}
