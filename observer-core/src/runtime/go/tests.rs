//! Tests synthetic executables. The end-to-end tests cover real ones.

use super::{
    super::fixture::{ABIS, ADDRESS, AMD64, Abi, FakeFile, for_each_corruption},
    *,
};

fn detected(bytes: &[u8]) -> Option<Runtime> {
    let mut file = FakeFile::new(bytes);
    let detected = detect(&mut file);
    file.assert_read_at_most(8, 200_000);
    detected
}

impl Abi {
    fn go(self, data: &[u8], section: Option<usize>) -> Vec<u8> {
        self.executable(SECTION, data, section)
    }

    fn header(self, flags: u8) -> Vec<u8> {
        [MAGIC, &[self.word_bytes as u8, flags | u8::from(self.is_big_endian)]].concat()
    }

    /// The format since Go 1.18.
    fn inline(self, version: &str) -> Vec<u8> {
        let mut data = self.header(2);
        data.resize(HEADER_BYTES, 0);
        data.push(version.len() as u8);
        data.extend(version.as_bytes());
        data.resize(data.len() + 64, 0);
        data
    }

    /// The format before Go 1.18.
    fn pointer(self, version: &str) -> Vec<u8> {
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
fn both_formats_are_read_in_every_abi() {
    for abi in ABIS {
        let version = |major, minor, patch| Some(Runtime::Go(Some(GoVersion { major, minor, patch })));
        assert_eq!(detected(&abi.go(&abi.inline("go1.27.1"), None)), version(1, 27, Some(1)));
        assert_eq!(detected(&abi.go(&abi.pointer("go1.13"), None)), version(1, 13, None));
    }
}

/// A C linker may place other data first, and more of it than is searched.
#[test]
fn section_is_found_deep_in_the_data() {
    for abi in ABIS {
        let mut data = vec![0; 1 << 18];
        data.extend(abi.inline("go1.19.8"));
        assert_eq!(detected(&abi.go(&data, None)), None);
        let found = detected(&abi.go(&data, Some(1 << 18)));
        assert_eq!(found.unwrap().to_string(), "Go 1.19.8");
    }
}

#[test]
fn unreadable_version_is_still_go() {
    assert_eq!(detected(&AMD64.go(&AMD64.inline("experimental"), None)), Some(Runtime::Go(None)));
    assert_eq!(detected(&AMD64.go(&AMD64.header(0), None)), Some(Runtime::Go(None)));
    assert_eq!(detected(&AMD64.go(&AMD64.header(2), None)), Some(Runtime::Go(None)));
    assert_eq!(detected(&AMD64.go(MAGIC, None)), Some(Runtime::Go(None)));
}

#[test]
fn other_files_are_not_go() {
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", b"\xff Go buildinf:\x08\x02"] {
        assert_eq!(detected(bytes), None);
    }
    assert_eq!(detected(&AMD64.go(&[0; 256], Some(0))), None);
    let test_binary = std::fs::read("/proc/self/exe").unwrap();
    assert_eq!(detected(&test_binary), None, "it contains the magic bytes");
}

#[test]
fn corrupt_files_do_no_harm() {
    for abi in ABIS {
        for data in [abi.inline("go1.19.8"), abi.pointer("go1.13")] {
            for_each_corruption(abi.go(&data, Some(0)), |file| {
                let _ = detected(file);
            });
        }
    }
}
