//! Chunked bodies.

use crate::conversation::{Head, Message};

/// The end of a body in chunks without trailers: the last chunk, which is empty.
pub(super) const LAST_CHUNK: &[u8; 5] = b"0\r\n\r\n";

/// The line that it begins with.
const LAST_SIZE: &[u8; 3] = b"0\r\n";

/// The same behind the data of another chunk.
pub(super) const BEHIND_DATA: &[u8; 5] = b"\r\n0\r\n";

/// Whether a body in chunks ends with this send, of `len` bytes; also where that cannot be seen.
#[inline(always)]
pub(super) fn may_end_chunks(message: &mut impl Message, head: Head, len: u32) -> bool {
    if head.starts_with(LAST_SIZE) {
        // Java's HttpURLConnection sends the empty line behind it by itself; trailers may come before that.
        return true;
    }
    if len < LAST_CHUNK.len() as u32 {
        return false;
    }
    let tail = message.head(len - LAST_CHUNK.len() as u32);
    // Java's HttpClient has its last line in a buffer of its own.
    tail.len == 0
        || tail.starts_with(LAST_CHUNK)
        || tail.starts_with(BEHIND_DATA)
        || tail.len == LAST_SIZE.len() as u32 && tail.starts_with(LAST_SIZE)
}
