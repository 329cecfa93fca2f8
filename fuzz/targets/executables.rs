//! An executable, in which the helper looks for traces of Go, .NET and Rust.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observer_core::runtime::{LoadedLibraries, ReadAt, Runtime};

/// What one executable may cost: the limits of all searches together.
const MAX_READS: usize = 60;
const MAX_BYTES: usize = 10 << 20;

struct Executable<'a> {
    contents: &'a [u8],
    reads: usize,
    bytes: usize,
}

impl ReadAt for Executable<'_> {
    fn read_at(&mut self, offset: u64, len: usize) -> Vec<u8> {
        self.reads += 1;
        self.bytes += len;
        let rest = usize::try_from(offset).ok().and_then(|offset| self.contents.get(offset..)).unwrap_or_default();
        rest[..rest.len().min(len)].to_vec()
    }
}

fuzz_target!(|contents: &[u8]| {
    let mut file = Executable { contents, reads: 0, bytes: 0 };
    let runtime = Runtime::detect(b"server", Some(&mut file), || Some(LoadedLibraries::default()));
    assert!(runtime.is_some());
    assert!(file.reads <= MAX_READS && file.bytes <= MAX_BYTES, "{} bytes in {} reads", file.bytes, file.reads);
});
