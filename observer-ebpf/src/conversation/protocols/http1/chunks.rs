//! The end of a chunked body.

use crate::conversation::{Head, Message};

/// The end of a chunked body without trailers: the empty last chunk.
pub(super) const LAST_CHUNK: &[u8; 5] = b"0\r\n\r\n";

/// Its first line.
const LAST_SIZE: &[u8; 3] = b"0\r\n";

/// The last chunk after another chunk's data.
pub(super) const BEHIND_DATA: &[u8; 5] = b"\r\n0\r\n";

/// Whether a chunked body may end with this send of `len` bytes. True also if the end cannot be seen.
#[inline(always)]
pub(super) fn may_end_chunks(message: &mut impl Message, head: Head, len: u32) -> bool {
    if head.starts_with(LAST_SIZE) {
        // Java's HttpURLConnection sends the final empty line separately, and trailers may come before it.
        return true;
    }
    if len < LAST_CHUNK.len() as u32 {
        return false;
    }
    let tail = message.head(len - LAST_CHUNK.len() as u32);
    // Java's HttpClient keeps its last line in a separate buffer.
    tail.len == 0
        || tail.starts_with(LAST_CHUNK)
        || tail.starts_with(BEHIND_DATA)
        || tail.len == LAST_SIZE.len() as u32 && tail.starts_with(LAST_SIZE)
}
