//! A connection whose hooks see what happens on it, as the kernel side's handlers do.

use std::fmt;

use tcp_reuse_watch_ebpf::{
    Application, Chunk, Conversation, Exactness, PREFIX_BYTES, Prefix, Protocol, Send, WORD_BYTES,
};

use crate::buffers::{Buffers, Sight};

/// Number of bytes that the log keeps of what a hook saw.
const NOTED_BYTES: usize = 30;

/// A hook, the bytes it saw, and the state after it.
pub(crate) struct Note {
    hook: &'static str,
    begin: Vec<u8>,
    len: usize,
    exchanges: u64,
    exact: bool,
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hook, begin, len, exchanges, exact } = self;
        let mark = if *exact { "" } else { ", marked" };
        write!(f, "{hook} of {len} ({}): {exchanges}{mark}", begin.escape_ascii())
    }
}

pub(crate) struct Observed {
    pub(crate) conversation: Conversation,
    /// Bytes of payload since the connection began.
    pub(crate) written: u64,
    pub(crate) received: u64,
    pub(crate) consumed: u64,
    pub(crate) exchanges: u64,
    pub(crate) exact: bool,
    /// Something beyond set-up was sent: bpf/entry/pool.rs.
    pub(crate) has_asked: bool,
    /// What its hooks saw.
    pub(crate) log: Vec<Note>,
    taken: Box<Prefix>,
}

impl Observed {
    /// A connection established during the watch.
    pub(crate) fn new() -> Self {
        Self::with(Conversation::EMPTY, 0, 0)
    }

    /// A pre-existing connection without an unanswered ask: bpf/entry/adoption.rs.
    pub(crate) fn resumed(written: u64, consumed: u64) -> Self {
        Self::with(Conversation::resumed(written, consumed, false), written, consumed)
    }

    fn with(conversation: Conversation, written: u64, consumed: u64) -> Self {
        // Leftovers of another message, which nothing may rely on.
        let taken = Box::new([b'\n'; PREFIX_BYTES + WORD_BYTES]);
        Self {
            conversation,
            written,
            received: consumed,
            consumed,
            exchanges: 0,
            exact: true,
            has_asked: false,
            log: Vec::new(),
            taken,
        }
    }

    pub(crate) fn is_marked(&self) -> bool {
        !self.exact
    }

    pub(crate) fn application(&self) -> Application {
        Application::of(self.conversation.application.into())
    }

    pub(crate) fn is(&self, protocol: Protocol) -> bool {
        self.conversation.protocol == protocol as u8
    }

    /// Logs a hook and its outcome, to explain a wrong count.
    pub(crate) fn note(&mut self, hook: &'static str, bytes: &[u8]) {
        let begin = bytes[..bytes.len().min(NOTED_BYTES)].to_vec();
        self.log.push(Note { hook, begin, len: bytes.len(), exchanges: self.exchanges, exact: self.exact });
    }

    fn mark_unless(&mut self, exactness: Exactness) {
        self.exact &= exactness == Exactness::Exact;
    }

    /// Any hook at which nothing is sent: `observe` of bpf/entry/progress.rs.
    pub(crate) fn run_hook(&mut self) {
        self.observe(false);
    }

    fn observe(&mut self, is_inspected: bool) {
        self.has_asked |= self.conversation.turn.has_open_ask(self.written);
        if !self.conversation.turn.has_consumed(self.consumed) {
            return;
        }
        if !is_inspected && self.conversation.awaits_answer(self.written) {
            let exactness = self.conversation.miss_answer();
            self.mark_unless(exactness);
        }
        self.conversation.end_upload();
        if self.conversation.turn.update(self.written, self.consumed) {
            self.count();
        }
    }

    fn count(&mut self) {
        self.exact &= self.conversation.is_recognised() && !self.conversation.is_doubtful(self.written);
        self.exchanges += 1;
    }

    /// A chunk of a send is about to be queued: bpf/handlers/send.rs.
    pub(crate) fn sending(&mut self, left: &[&[u8]], sight: Sight) {
        let (at, len) = (self.written, left.iter().map(|buffer| buffer.len() as u32).sum());
        let chunk = self.conversation.turn.begin_chunk(at, len);
        if chunk == Chunk::Continues {
            return;
        }
        self.observe(false);
        self.conversation.turn.ask(at, self.received);
        if self.conversation.needs_inspection(at, len) {
            self.inspect(left, sight, chunk);
        }
        self.has_asked |= self.conversation.turn.has_open_ask(at + u64::from(len));
    }

    fn inspect(&mut self, left: &[&[u8]], sight: Sight, chunk: Chunk) {
        let (at, len) = (self.written, left.iter().map(|buffer| buffer.len() as u32).sum());
        let send = Send {
            at,
            received: self.received,
            consumed: self.consumed,
            len,
            after_unseen: chunk == Chunk::BeginsAfterUnseen,
            greeted: false,
        };
        let exactness = self.conversation.inspect(&mut Buffers::new(left, sight, &mut self.taken), send);
        self.mark_unless(exactness);
    }

    /// The application has consumed something: bpf/handlers/receive.rs. `buffer` is the buffer that it passed to the
    /// system call, if it can be read, with the bytes read so far.
    pub(crate) fn received(&mut self, buffer: Option<&[u8]>) {
        let turn = &self.conversation.turn;
        let mut is_inspected = false;
        if turn.has_consumed(self.consumed)
            && self.conversation.awaits_answer(self.written)
            && let Some(buffer) = buffer
        {
            let read = self.consumed - turn.consumed();
            let len = read.min(buffer.len() as u64) as u32;
            let parts = [&buffer[..len as usize]];
            let answer = &mut Buffers::new(&parts, Sight::Seen, &mut self.taken);
            let exactness = self.conversation.inspect_answer(answer, self.written, len);
            self.mark_unless(exactness);
            is_inspected = true;
        }
        self.observe(is_inspected);
    }

    /// The connection ends with a FIN from either side: `close` of bpf/entry/closing.rs and `finish` of
    /// bpf/entry/removal.rs.
    pub(crate) fn close(&mut self) {
        self.observe(false);
        if self.exchanges == 0 && self.received == 0 && self.conversation.turn.has_open_ask(self.written) {
            // It only ever sent.
            self.conversation.turn.account_for(self.written);
            self.count();
        }
        if self.received == self.consumed {
            let exactness = self.conversation.end();
            self.mark_unless(exactness);
        }
    }
}
