//! Hearing a send or an answer, in steps.
//!
//! The verifier follows every path through a program, and a call of an ordinary function is a part of the path. So each
//! step is a global function: those are verified by themselves, once (since 5.6), and of what they return nothing is
//! assumed. Their arguments can only be numbers (until 5.13), so what they work on is in maps: the message at hand
//! (`message.rs`), and here the conversation, which is copied in and out.
//!
//! On kernels that can be preempted another program may run in between, on the same processor, and hear something else.
//! Then the owner is another one: what was heard is dropped, and the connection is marked.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use tcp_reuse_watch_ebpf::{Connection, Conversation, Exactness, Kind, Message as _, Send, Steps, hear};

use super::{
    entry::{self, pool},
    memory::Probed,
    message::{self, Buffers, MessageHeader, scratch},
};

/// What is heard at the moment.
#[repr(C)]
struct Hearing {
    conversation: Conversation,
    send: Send,
    /// The socket whose it is.
    owner: u64,
    /// What the application had written when it read an answer.
    written: u64,
}

/// Each processor's own.
#[map]
static HEARING: PerCpuArray<Hearing> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
fn hearing() -> Option<&'static mut Hearing> {
    // SAFETY: a pointer into a map value, checked for null.
    HEARING.get_ptr_mut(0).map(|hearing| unsafe { &mut *hearing })
}

/// What a step returns.
const EXACT: u32 = Exactness::Exact as u32;
const INEXACT: u32 = Exactness::Inexact as u32;

/// What a step has returned.
#[inline(always)]
fn exactness(returned: u32) -> Exactness {
    if returned == EXACT { Exactness::Exact } else { Exactness::Inexact }
}

/// Defines a step: a function that is verified by itself.
macro_rules! step {
    ($(#[$doc:meta])* $name:ident, |$hearing:ident, $message:ident| $hear:expr) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name() -> u32 {
            let (Some($hearing), Some($message)) = (hearing(), scratch()) else { return INEXACT };
            let exactness: Exactness = $hear;
            exactness as u32
        }
    };
}

step!(
    /// What is spoken begins with this send.
    hear_beginning,
    |hearing, message| hearing.conversation.begin(message, &mut hearing.send)
);
step!(
    /// A send within the handshake of TLS.
    hear_handshake,
    |hearing, message| hearing.conversation.hear_handshake(message, &mut hearing.send)
);
step!(
    /// What is behind it.
    hear_tls,
    |hearing, message| hearing.conversation.hear_tls(message, hearing.send)
);
step!(
    /// A send of HTTP/1.
    hear_http1,
    |hearing, message| hearing.conversation.hear_http1(message, hearing.send)
);
step!(
    /// A send of another application.
    hear_other,
    |hearing, message| hearing.conversation.hear_other(message, hearing.send)
);
step!(
    /// The beginning of what was read.
    hear_answer,
    |hearing, message| {
        let len = message.len;
        hearing.conversation.hear_answer(message, hearing.written, len)
    }
);

/// Copies a conversation, word by word. (Of an assignment the compiler makes a call of `memmove()`, which copies each byte by
/// itself.)
#[inline(always)]
fn copy(from: &Conversation, to: &mut Conversation) {
    // SAFETY: both are references, and what one of them can write to overlaps with nothing.
    unsafe { core::ptr::copy_nonoverlapping(from, to, 1) };
}

/// Begins to hear something of a connection. Before the message is taken: what is taken then is this connection's.
#[inline(always)]
fn claim(entry: &Connection) -> Option<&'static mut Hearing> {
    let hearing = hearing()?;
    hearing.owner = entry.socket;
    copy(&entry.conversation, &mut hearing.conversation);
    Some(hearing)
}

/// A send begins, whose bytes `buffers` gives. Whether all that it means is known.
#[inline(always)]
pub(super) fn hear_send(entry: &mut Connection, buffers: impl FnOnce() -> Option<Buffers>, send: Send) -> bool {
    let Some(hearing) = claim(entry) else { return false };
    hearing.send = send;
    let Some(message) = buffers() else { return false };
    let _ = message.take_target();
    if entry.conversation.kind() == Kind::Http1 {
        message::take_beginning();
    } else {
        let _ = message.head(0);
    }
    let heard = hear(&mut Apart::<false>);
    keep_with_target(entry) && heard == Exactness::Exact
}

/// What goes out with the SYN of a socket. Of requests of HTTP/1 the end is not looked for, and what other applications mean
/// is not known: sock_ops, which hears this, would have to be verified for all of it at each start.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn hear_syn(socket: u64, msghdr: u64) -> u32 {
    let message = MessageHeader::<Probed>::new(msghdr as *const u8);
    let len = message.left();
    let Some(entry) = entry::at(socket).filter(|_| len > 0) else { return 0 };
    let _ = entry.conversation.turn.send(0, len);
    let send = Send { at: 0, received: 0, consumed: 0, len, after_unseen: false, greeted: false };
    if !is_known(entry, message, send) {
        entry::mark_inexact(entry);
    }
    0
}

#[inline(always)]
fn is_known(entry: &mut Connection, message: MessageHeader<Probed>, send: Send) -> bool {
    let Some(hearing) = claim(entry) else { return false };
    hearing.send = send;
    let Some(message) = message.buffers() else { return false };
    let _ = message.take_target();
    let _ = message.head(0);
    let heard = hear(&mut Apart::<true>);
    let is_kept = keep_with_target(entry);
    entry.conversation.leave_open();
    is_kept && heard == Exactness::Exact
}

/// `read` bytes were read. Whether all that their beginning means is known; None if they cannot be seen.
#[inline(always)]
pub(super) fn hear_read(entry: &mut Connection, written: u64, read: u32) -> Option<bool> {
    let hearing = claim(entry)?;
    hearing.written = written;
    message::read_by_caller(read)?;
    let heard = hear_answer();
    Some(keep(entry) && heard == EXACT)
}

/// The steps of a send, each verified by itself. `IS_SYN`: as [`hear_syn`] does it.
struct Apart<const IS_SYN: bool>;

impl<const IS_SYN: bool> Steps for Apart<IS_SYN> {
    #[inline(always)]
    fn kind(&self) -> Kind {
        // Without what is heard no step finds it either, and says that it is inexact.
        hearing().map_or(Kind::Other, |hearing| hearing.conversation.kind())
    }

    #[inline(always)]
    fn begin(&mut self) -> Exactness {
        exactness(hear_beginning())
    }

    #[inline(always)]
    fn hear_handshake(&mut self) -> Exactness {
        exactness(hear_handshake())
    }

    #[inline(always)]
    fn hear_tls(&mut self) -> Exactness {
        exactness(hear_tls())
    }

    #[inline(always)]
    fn hear_http1(&mut self) -> Exactness {
        if IS_SYN { Exactness::Exact } else { exactness(hear_http1()) }
    }

    #[inline(always)]
    fn hear_other(&mut self) -> Exactness {
        if IS_SYN { Exactness::Inexact } else { exactness(hear_other()) }
    }
}

/// Keeps what was heard, and notes the target that the connection is for.
#[inline(always)]
fn keep_with_target(entry: &mut Connection) -> bool {
    let target = scratch().map_or(0, message::Scratch::take_target);
    let is_kept = keep(entry);
    if is_kept && target != 0 {
        pool::note_target(entry, target);
    }
    is_kept
}

/// Keeps what was heard, if nobody has heard something else meanwhile.
#[inline(always)]
fn keep(entry: &mut Connection) -> bool {
    let Some(hearing) = hearing() else { return false };
    if hearing.owner != entry.socket {
        // Nor is what the other one hears to be relied on, if it is not through.
        hearing.owner = 0;
        return false;
    }
    copy(&hearing.conversation, &mut entry.conversation);
    true
}
