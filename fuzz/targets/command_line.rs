//! One line: the value of an option. Several: the words of a command line.
#![no_main]

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use libfuzzer_sys::fuzz_target;
use tcp_reuse_watch::fuzz::{parse_command_line, parse_value};

fuzz_target!(|bytes: &[u8]| {
    if bytes.contains(&b'\n') {
        parse_command_line(bytes.split(|byte| *byte == b'\n').map(OsStr::from_bytes));
    } else if let Ok(text) = str::from_utf8(bytes) {
        parse_value(text);
    }
});
