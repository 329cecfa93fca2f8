//! The steps of parsing that the verifier checks by themselves, like the stages in `inspection.rs`. They implement
//! methods of [`Message`]. They take and return numbers, and leave other results in the message.
//!
//! [`Message`]: tcp_reuse_watch_ebpf::Message

use tcp_reuse_watch_ebpf::{RequestLine, subprogram};

use super::scratch::scratch;

/// Defines a subprogram, with its return value where there is no message.
macro_rules! subprogram {
    ($(#[$doc:meta])* $name:ident($($argument:ident),*), $otherwise:expr, |$message:ident| $subprogram:expr) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $name($($argument: u32),*) -> u32 {
            scratch().map_or($otherwise, |$message| $subprogram)
        }
    };
}

subprogram!(
    /// Parses an HTTP/1 head and leaves the result in the cursor: [`subprogram::framing`].
    frame_head(from, len),
    0,
    |message| subprogram::framing(message, from, len).end
);
subprogram!(
    /// Parses one line of it: [`subprogram::next_line`].
    next_line(at, len),
    0,
    |message| subprogram::next_line(message, at, len)
);
subprogram!(
    /// Finds the end of a line: [`subprogram::line_feed`].
    find_line_feed(at, len),
    len,
    |message| subprogram::line_feed(message, at, len)
);
subprogram!(
    /// Finds the end of a line, if it is near: [`subprogram::near_line_feed`].
    find_near_line_feed(at, len),
    len,
    |message| subprogram::near_line_feed(message, at, len)
);
subprogram!(
    /// Parses a header line: [`subprogram::parse_header`].
    parse_header(at),
    0,
    |message| {
        subprogram::parse_header(message, at);
        0
    }
);
subprogram!(
    /// Classifies the last head: [`subprogram::request_line`].
    read_request_line(),
    RequestLine::Other as u32,
    |message| subprogram::request_line(message) as u32
);
subprogram!(
    /// Recognises the application: [`subprogram::recognise`].
    recognise(len, context),
    0,
    |message| subprogram::recognise(message, len, context) as u32
);
subprogram!(
    /// Whether a statement is SET: [`subprogram::is_setting`].
    find_setting(from, len),
    0,
    |message| subprogram::is_setting(message, from, len).into()
);
subprogram!(
    /// Finds where a statement may end: [`subprogram::statement_end`].
    find_statement_end(at, len),
    len,
    |message| subprogram::statement_end(message, at, len)
);
subprogram!(
    /// Parses one extension of a hello: [`subprogram::tls_extension`].
    next_tls_extension(end),
    0,
    |message| subprogram::tls_extension(message, end).into()
);
subprogram!(
    /// Parses one name in its list of protocols: [`subprogram::tls_name`].
    next_tls_name(end),
    0,
    |message| subprogram::tls_name(message, end).into()
);
subprogram!(
    /// Parses one Redis word: [`subprogram::redis_word`].
    next_redis_word(prefix_len, len),
    0,
    |message| subprogram::redis_word(message, prefix_len, len).into()
);
subprogram!(
    /// Parses one PostgreSQL message: [`subprogram::postgresql_message`].
    next_postgresql_message(prefix_len, len),
    0,
    |message| subprogram::postgresql_message(message, prefix_len, len).into()
);

subprogram!(
    /// Hashes one word of a target: [`subprogram::target_word`].
    next_target_word(from, len),
    0,
    |message| subprogram::target_word(message, from, len).into()
);
subprogram!(
    /// Searches one word for a target's end: [`subprogram::target_goes_on`].
    find_target_end(),
    0,
    |message| subprogram::target_goes_on(message).into()
);
