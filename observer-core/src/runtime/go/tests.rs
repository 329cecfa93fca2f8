//! Executables written byte by byte. Go's own are in the end-to-end tests.

use super::{
    super::fixture::{ADDRESS, AMD64, Bytes, KINDS, Kind, lies_of},
    *,
};

fn told(bytes: &[u8]) -> Option<Runtime> {
    let mut image = Bytes::of(bytes);
    let told = built_by(&mut image);
    image.assert_read_at_most(8, 200_000);
    told
}

fn version_of(text: &str) -> Option<String> {
    GoVersion::parse(text.as_bytes()).map(|version| version.to_string())
}

impl Kind {
    fn go(self, data: &[u8], section: Option<usize>) -> Vec<u8> {
        self.executable(SECTION, data, section)
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
        assert_eq!(told(&kind.go(&kind.inline("go1.27.1"), None)), version(1, 27, Some(1)));
        assert_eq!(told(&kind.go(&kind.pointed("go1.13"), None)), version(1, 13, None));
    }
}

/// The linker of a C library puts other data first, more than is searched.
#[test]
fn the_section_is_found_far_into_the_data() {
    for kind in KINDS {
        let mut data = vec![0; 1 << 18];
        data.extend(kind.inline("go1.19.8"));
        assert_eq!(told(&kind.go(&data, None)), None);
        let found = told(&kind.go(&data, Some(1 << 18)));
        assert_eq!(found.unwrap().to_string(), "Go 1.19.8");
    }
}

#[test]
fn an_unreadable_version_is_still_go() {
    assert_eq!(told(&AMD64.go(&AMD64.inline("experimental"), None)), Some(Runtime::Go(None)));
    assert_eq!(told(&AMD64.go(&AMD64.header(0), None)), Some(Runtime::Go(None)));
    assert_eq!(told(&AMD64.go(&AMD64.header(2), None)), Some(Runtime::Go(None)));
    assert_eq!(told(&AMD64.go(MAGIC, None)), Some(Runtime::Go(None)));
}

#[test]
fn anything_else_is_not_go() {
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", b"\xff Go buildinf:\x08\x02"] {
        assert_eq!(told(bytes), None);
    }
    assert_eq!(told(&AMD64.go(&[0; 256], Some(0))), None);
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
fn a_file_that_lies_or_ends_anywhere_does_no_harm() {
    for kind in KINDS {
        for data in [kind.inline("go1.19.8"), kind.pointed("go1.13")] {
            lies_of(kind.go(&data, Some(0)), |file| {
                let _ = told(file);
            });
        }
    }
}
