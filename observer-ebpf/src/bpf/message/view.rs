//! The message as the conversation sees it.

use tcp_reuse_watch_ebpf::{Cursor, Framing, Head, Message, PREFIX_BYTES, RequestLine, WORD_BYTES};

use super::{
    reading::{load_head, load_prefix},
    scratch::Scratch,
    subprograms,
};

impl Message for Scratch {
    /// Empty for the page vectors of sendfile and splice, for a page that is not in memory, and beyond many small
    /// buffers.
    #[inline(always)]
    fn head(&mut self, offset: u32) -> Head {
        let _ = load_head(offset);
        self.last_head()
    }

    #[inline(always)]
    fn last_head(&mut self) -> Head {
        // SAFETY: the pointers come from references. Volatile, because another function has written there.
        let (len, words) =
            unsafe { ((&raw const self.head_len).read_volatile(), (&raw const self.head).read_volatile()) };
        Head { len, words: words.map(u64::from_be) }
    }

    #[inline(always)]
    fn prefix(&mut self) -> Option<u32> {
        let prefix_len = load_prefix(self.skipped);
        let prefix_len = self.opaque(prefix_len);
        if prefix_len == 0 { None } else { Some(prefix_len) }
    }

    #[inline(always)]
    fn word_at(&mut self, offset: u32) -> u64 {
        let shift = offset % 8 * 8;
        let word = self.aligned_word(offset / 8) << shift;
        // In two steps, because a shift by 64 has no effect.
        word | self.aligned_word(offset / 8 + 1) >> 1 >> (63 - shift)
    }

    #[inline(always)]
    fn aligned_word(&mut self, number: u32) -> u64 {
        let start = (self.opaque(number) as usize * WORD_BYTES) & (PREFIX_BYTES - WORD_BYTES);
        let words = (&raw const self.prefix).cast::<u64>();
        // SAFETY: the prefix is aligned like the field before it, and this word is within it.
        u64::from_be(unsafe { words.byte_add(start).read() })
    }

    #[inline(always)]
    fn skip(&mut self, bytes: u32) {
        self.skipped = self.skipped.wrapping_add(bytes);
    }

    #[inline(always)]
    fn framing(&mut self, from: u32, len: u32) -> Framing {
        let end = subprograms::frame_head(from, len);
        let Cursor { number: body, found: headers, .. } = self.cursor();
        Framing { body, end, headers }
    }

    #[inline(always)]
    fn next_line(&mut self, at: u32, len: u32) -> u32 {
        subprograms::next_line(at, len)
    }

    #[inline(always)]
    fn line_feed(&mut self, at: u32, len: u32) -> u32 {
        subprograms::find_line_feed(at, len)
    }

    #[inline(always)]
    fn near_line_feed(&mut self, at: u32, len: u32) -> u32 {
        subprograms::find_near_line_feed(at, len)
    }

    #[inline(always)]
    fn parse_header(&mut self, at: u32) {
        subprograms::parse_header(at);
    }

    #[inline(always)]
    fn request_line(&mut self) -> RequestLine {
        match subprograms::read_request_line() {
            line if line == RequestLine::Request as u32 => RequestLine::Request,
            line if line == RequestLine::Unclear as u32 => RequestLine::Unclear,
            _ => RequestLine::Other,
        }
    }

    #[inline(always)]
    fn recognise(&mut self, len: u32, context: u32) -> u8 {
        subprograms::recognise(len, context) as u8
    }

    #[inline(always)]
    fn is_setting(&mut self, from: u32, len: u32) -> bool {
        subprograms::find_setting(from, len) != 0
    }

    #[inline(always)]
    fn statement_end(&mut self, at: u32, len: u32) -> u32 {
        subprograms::find_statement_end(at, len)
    }

    #[inline(always)]
    fn tls_extension(&mut self, end: u32) -> bool {
        subprograms::next_tls_extension(end) != 0
    }

    #[inline(always)]
    fn tls_name(&mut self, end: u32) -> bool {
        subprograms::next_tls_name(end) != 0
    }

    #[inline(always)]
    fn redis_word(&mut self, prefix_len: u32, len: u32) -> bool {
        subprograms::next_redis_word(prefix_len, len) != 0
    }

    #[inline(always)]
    fn postgresql_message(&mut self, prefix_len: u32, len: u32) -> bool {
        subprograms::next_postgresql_message(prefix_len, len) != 0
    }

    #[inline(always)]
    fn cursor(&mut self) -> Cursor {
        // SAFETY: the pointer comes from a reference. Volatile, because another function may have written there.
        unsafe { (&raw const self.cursor).read_volatile() }
    }

    #[inline(always)]
    fn set_cursor(&mut self, cursor: Cursor) {
        // SAFETY: the pointer comes from a reference. Volatile, because another function may read there.
        unsafe { (&raw mut self.cursor).write_volatile(cursor) }
    }

    #[inline(always)]
    fn target_word(&mut self, from: u32, len: u32) -> bool {
        subprograms::next_target_word(from, len) != 0
    }

    #[inline(always)]
    fn target_goes_on(&mut self) -> bool {
        subprograms::find_target_end() != 0
    }

    #[inline(always)]
    fn note_target(&mut self, target: u64) {
        self.target = target;
    }

    #[inline(always)]
    fn opaque(&mut self, number: u32) -> u32 {
        self.opaque_long(number.into()) as u32
    }

    #[inline(always)]
    fn opaque_long(&mut self, number: u64) -> u64 {
        let cell = &raw mut self.number;
        // SAFETY: the pointer comes from a reference.
        unsafe {
            cell.write_volatile(number);
            cell.read_volatile()
        }
    }
}
