//! Steps through a message that are verified by themselves, as those of `inspection.rs` are: what [`Message`] has of them. They
//! take and return numbers; what else they find is in the message.
//!
//! [`Message`]: tcp_reuse_watch_ebpf::Message

use tcp_reuse_watch_ebpf::{RequestLine, subprogram};

use super::scratch::scratch;

/// Defines a step, with what it returns where there is no message.
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
    /// Goes through a head of HTTP/1, and leaves in the walk what it says: [`subprogram::framing`].
    frame_head(from, len),
    0,
    |message| subprogram::framing(message, from, len).end
);
subprogram!(
    /// Goes through a line of it: [`subprogram::next_line`].
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
    /// The same, if it is near: [`subprogram::near_line_feed`].
    find_near_line_feed(at, len),
    len,
    |message| subprogram::near_line_feed(message, at, len)
);
subprogram!(
    /// Notes what a line says: [`subprogram::parse_header`].
    parse_header(at),
    0,
    |message| {
        subprogram::parse_header(message, at);
        0
    }
);
subprogram!(
    /// Looks at the head that was read last: [`subprogram::request_line`].
    read_request_line(),
    RequestLine::Other as u32,
    |message| subprogram::request_line(message) as u32
);
subprogram!(
    /// Tells what is spoken: [`subprogram::recognise`].
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
    /// Goes through an extension of a hello: [`subprogram::tls_extension`].
    next_tls_extension(end),
    0,
    |message| subprogram::tls_extension(message, end).into()
);
subprogram!(
    /// Goes through the name of a protocol that it offers: [`subprogram::tls_name`].
    next_tls_name(end),
    0,
    |message| subprogram::tls_name(message, end).into()
);
subprogram!(
    /// Goes through a word of Redis: [`subprogram::redis_word`].
    next_redis_word(prefix_len, len),
    0,
    |message| subprogram::redis_word(message, prefix_len, len).into()
);
subprogram!(
    /// Goes through a message of PostgreSQL: [`subprogram::postgresql_message`].
    next_postgresql_message(prefix_len, len),
    0,
    |message| subprogram::postgresql_message(message, prefix_len, len).into()
);

subprogram!(
    /// Hashes a word of whom a connection is for: [`subprogram::target_word`].
    next_target_word(from, len),
    0,
    |message| subprogram::target_word(message, from, len).into()
);
subprogram!(
    /// Finds where that ends: [`subprogram::target_goes_on`].
    find_target_end(),
    0,
    |message| subprogram::target_goes_on(message).into()
);
