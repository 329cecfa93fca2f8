//! A send or a read as the kernel side sees it: `bpf/message.rs` for the host.

use tcp_reuse_watch_ebpf::{Cursor, HEAD_BYTES, Head, Message, PREFIX_BYTES, Prefix, WORD_BYTES};

/// How many buffers ahead the kernel side searches, and how many it assembles.
const MAX_BUFFERS_AHEAD: u32 = 2;
const MAX_PIECES: u32 = 12;

/// Whether the bytes can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Seen,
    /// Pages of a file (sendfile, splice), which have no address to read from.
    Pages,
    /// A page that is not in memory.
    Faulting,
}

pub(crate) struct Buffers<'a> {
    pieces: &'a [&'a [u8]],
    sight: Sight,
    total: u32,
    /// The current buffer, its offset in the message, and the index of the next one.
    current: &'a [u8],
    begin: u32,
    next: usize,
    skipped: u32,
    last: Head,
    cursor: Cursor,
    /// The processor's own prefix, with leftovers of another message.
    taken: &'a mut Prefix,
}

impl<'a> Buffers<'a> {
    pub(crate) fn new(pieces: &'a [&'a [u8]], sight: Sight, taken: &'a mut Prefix) -> Self {
        let current = pieces.first().copied().unwrap_or_default();
        let total = pieces.iter().map(|piece| piece.len() as u32).sum();
        Self {
            pieces,
            sight,
            total,
            current,
            begin: 0,
            next: 1,
            skipped: 0,
            last: Head::NONE,
            cursor: Cursor::default(),
            taken,
        }
    }

    /// The bytes from an offset on, in the buffer that holds it.
    fn find(&mut self, offset: u32) -> &'a [u8] {
        if self.sight == Sight::Pages {
            return &[];
        }
        if offset < self.begin {
            (self.current, self.begin, self.next) = (self.pieces[0], 0, 1);
        }
        for _ in 0..MAX_BUFFERS_AHEAD {
            if self.next >= self.pieces.len() || ((offset - self.begin) as usize) < self.current.len() {
                break;
            }
            self.begin += self.current.len() as u32;
            self.current = self.pieces[self.next];
            self.next += 1;
        }
        self.current.get((offset - self.begin) as usize..).unwrap_or_default()
    }

    /// Loads the first bytes from an offset on into one piece. Returns their number.
    fn take(&mut self, offset: u32) -> usize {
        let mut taken = 0;
        for _ in 0..MAX_PIECES {
            let from = offset + taken as u32;
            if from >= self.total || taken >= PREFIX_BYTES {
                break;
            }
            let piece = self.find(from);
            let len = piece.len().min(PREFIX_BYTES - taken);
            if len == 0 || self.sight == Sight::Faulting {
                break;
            }
            self.taken[taken..taken + len].copy_from_slice(&piece[..len]);
            taken += len;
        }
        taken
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes[..WORD_BYTES].iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The head of these bytes, of which `len` are valid.
fn head(bytes: &[u8; HEAD_BYTES], len: usize) -> Head {
    Head { words: core::array::from_fn(|index| word(&bytes[index * WORD_BYTES..])), len: len as u32 }
}

impl Message for Buffers<'_> {
    fn head(&mut self, offset: u32) -> Head {
        let offset = offset + self.skipped;
        assert!(offset < self.total, "offset past the end");
        let piece = self.find(offset);
        let mut bytes = [0; HEAD_BYTES];
        let len = if piece.len() < HEAD_BYTES && offset as usize + piece.len() < self.total as usize {
            // The head continues in the next buffer.
            let len = self.take(offset).min(HEAD_BYTES);
            bytes[..len].copy_from_slice(&self.taken[..len]);
            len
        } else if self.sight == Sight::Faulting {
            0
        } else {
            let len = piece.len().min(HEAD_BYTES);
            bytes[..len].copy_from_slice(&piece[..len]);
            len
        };
        self.last = head(&bytes, len);
        self.last
    }

    fn last_head(&mut self) -> Head {
        self.last
    }

    fn prefix(&mut self) -> Option<u32> {
        let taken = self.take(self.skipped);
        (taken > 0).then_some(taken as u32)
    }

    fn word_at(&mut self, offset: u32) -> u64 {
        word(&self.taken[offset as usize & (PREFIX_BYTES - 1)..])
    }

    fn cursor(&mut self) -> Cursor {
        self.cursor
    }

    fn set_cursor(&mut self, cursor: Cursor) {
        self.cursor = cursor;
    }

    fn skip(&mut self, bytes: u32) {
        self.skipped += bytes;
    }
}
