//! What a client sends to the HTTP server of `--metrics`. The first byte is the size of the pieces in which it arrives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcp_reuse_watch::fuzz::serve;

fuzz_target!(|bytes: &[u8]| {
    let Some((size, request)) = bytes.split_first() else { return };
    let pieces = match size {
        b'0'..=b'9' => request.chunks(usize::from(size - b'0') * 8 + 1).collect(),
        _ => vec![request],
    };
    let sent = serve(pieces);
    assert!(sent.is_empty() || sent.starts_with(b"HTTP/1."), "{}", sent.escape_ascii());
});
