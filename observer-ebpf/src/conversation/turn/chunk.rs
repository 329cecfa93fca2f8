//! The chunks in which the kernel takes a send.

use super::Turn;

/// How a chunk of a send relates to the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// It continues the same send, whose first bytes were seen already.
    Continues,
    /// It begins a send.
    Begins,
    /// It begins a send, after written bytes that no hook saw.
    BeginsAfterUnseen,
}

impl Turn {
    /// Notes a chunk of a send that is about to be written at `at`, with `left` bytes to go.
    ///
    /// The kernel may take one send in several chunks (the tracepoint `tcp_sendmsg_locked` fires for each), and an
    /// application may retry the rest of a short send. A chunk continues the send if and only if the bytes written
    /// since equal the bytes by which the send has shrunk.
    #[inline(always)]
    pub fn begin_chunk(&mut self, at: u64, left: u32) -> Chunk {
        let written = at.wrapping_sub(self.chunk_at);
        let continues = self.chunk_left >= left && u64::from(self.chunk_left - left) == written && self.chunk_left != 0;
        let unseen = at > self.seen_end();
        self.note_unseen(at);
        self.chunk_at = at;
        self.chunk_left = left;
        self.is_in_flight = u8::from(continues);
        match (continues, unseen) {
            (true, _) => Chunk::Continues,
            (false, true) => Chunk::BeginsAfterUnseen,
            (false, false) => Chunk::Begins,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: u64 = (1 << 32) - 40;

    #[test]
    fn chunks_and_retries_of_one_send_continue_it() {
        let mut turn = Turn::resumed(SENT, 0, false);
        assert_eq!(turn.begin_chunk(SENT, 517), Chunk::Begins);
        assert_eq!(turn.begin_chunk(SENT + 300, 217), Chunk::Continues, "the second chunk");
        assert_eq!(turn.begin_chunk(SENT + 300, 217), Chunk::Continues, "the same chunk after a wait for memory");
        assert_eq!(turn.begin_chunk(SENT + 517, 217), Chunk::Begins, "a new send of the same length");
        assert_eq!(turn.begin_chunk(SENT + 734, 10), Chunk::Begins);
        assert_eq!(turn.begin_chunk(SENT + 800, 10), Chunk::BeginsAfterUnseen);
    }
}
