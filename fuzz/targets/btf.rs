//! A file given by `--btf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tcp_reuse_watch::fuzz::parse_btf(bytes));
