//! Steps through a message that are verified by themselves, as those of `hearing.rs` are: what [`Message`] has of them. They
//! take and return numbers; what else they find is in the message.
//!
//! [`Message`]: tcp_reuse_watch_ebpf::Message

use tcp_reuse_watch_ebpf::{RequestLine, step};

use super::scratch::scratch;

/// Defines a step, with what it returns where there is no message.
macro_rules! step {
    ($(#[$doc:meta])* $name:ident($($argument:ident),*), $otherwise:expr, |$message:ident| $step:expr) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $name($($argument: u32),*) -> u32 {
            scratch().map_or($otherwise, |$message| $step)
        }
    };
}

step!(
    /// Goes through a head of HTTP/1, and leaves in the walk what it says: [`step::framing`].
    frame_head(from, len),
    0,
    |message| step::framing(message, from, len).end
);
step!(
    /// Goes through a line of it: [`step::next_line`].
    next_line(at, len),
    0,
    |message| step::next_line(message, at, len)
);
step!(
    /// Finds the end of a line: [`step::line_feed`].
    find_line_feed(at, len),
    len,
    |message| step::line_feed(message, at, len)
);
step!(
    /// The same, if it is near: [`step::near_line_feed`].
    find_near_line_feed(at, len),
    len,
    |message| step::near_line_feed(message, at, len)
);
step!(
    /// Notes what a line says: [`step::read_line`].
    read_line(at),
    0,
    |message| {
        step::read_line(message, at);
        0
    }
);
step!(
    /// Looks at the head that was read last: [`step::request_line`].
    read_request_line(),
    RequestLine::Other as u32,
    |message| step::request_line(message) as u32
);
step!(
    /// Tells what is spoken: [`step::recognise`].
    recognise(len, known),
    0,
    |message| step::recognise(message, len, known) as u32
);
step!(
    /// Whether a statement is SET: [`step::is_setting`].
    find_setting(from, len),
    0,
    |message| step::is_setting(message, from, len).into()
);
step!(
    /// Finds where a statement may end: [`step::statement_end`].
    find_statement_end(at, len),
    len,
    |message| step::statement_end(message, at, len)
);
step!(
    /// Goes through an extension of a hello: [`step::tls_extension`].
    next_tls_extension(end),
    0,
    |message| step::tls_extension(message, end).into()
);
step!(
    /// Goes through the name of a protocol that it offers: [`step::tls_name`].
    next_tls_name(end),
    0,
    |message| step::tls_name(message, end).into()
);
step!(
    /// Goes through a word of Redis: [`step::redis_word`].
    next_redis_word(taken, len),
    0,
    |message| step::redis_word(message, taken, len).into()
);
step!(
    /// Goes through a message of PostgreSQL: [`step::postgresql_message`].
    next_postgresql_message(taken, len),
    0,
    |message| step::postgresql_message(message, taken, len).into()
);

step!(
    /// Hashes a word of whom a connection is for: [`step::target_word`].
    next_target_word(from, len),
    0,
    |message| step::target_word(message, from, len).into()
);
step!(
    /// Finds where that ends: [`step::target_goes_on`].
    find_target_end(),
    0,
    |message| step::target_goes_on(message).into()
);
