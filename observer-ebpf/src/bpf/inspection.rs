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
use tcp_reuse_watch_ebpf::{Connection, Conversation, Exactness, Message as _, Send, Stage, Stages, run_stages};

use super::{
    entry::{self, pool},
    memory::Probed,
    message::{self, Buffers, MessageHeader, scratch},
};

/// What is heard at the moment.
#[repr(C)]
struct Inspection {
    conversation: Conversation,
    send: Send,
    /// The socket whose it is.
    owner: u64,
    /// What the application had written when it read an answer.
    written: u64,
}

/// Each processor's own.
#[map]
static INSPECTION: PerCpuArray<Inspection> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
fn inspection() -> Option<&'static mut Inspection> {
    // SAFETY: a pointer into a map value, checked for null.
    INSPECTION.get_ptr_mut(0).map(|inspection| unsafe { &mut *inspection })
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
macro_rules! stage {
    ($(#[$doc:meta])* $name:ident, |$inspection:ident, $message:ident| $hear:expr) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name() -> u32 {
            let (Some($inspection), Some($message)) = (inspection(), scratch()) else { return INEXACT };
            let exactness: Exactness = $hear;
            exactness as u32
        }
    };
}

stage!(
    /// What is spoken begins with this send.
    inspect_opening,
    |inspection, message| inspection.conversation.inspect_opening(message, &mut inspection.send)
);
stage!(
    /// A send within the handshake of TLS.
    inspect_handshake,
    |inspection, message| inspection.conversation.inspect_handshake(message, &mut inspection.send)
);
stage!(
    /// What is behind it.
    inspect_tls,
    |inspection, message| inspection.conversation.inspect_tls(message, inspection.send)
);
stage!(
    /// A send of HTTP/1.
    inspect_http1,
    |inspection, message| inspection.conversation.inspect_http1(message, inspection.send)
);
stage!(
    /// A send of another application.
    inspect_other,
    |inspection, message| inspection.conversation.inspect_other(message, inspection.send)
);
stage!(
    /// The beginning of what was read.
    inspect_answer,
    |inspection, message| {
        let len = message.len;
        inspection.conversation.inspect_answer(message, inspection.written, len)
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
fn claim(entry: &Connection) -> Option<&'static mut Inspection> {
    let inspection = inspection()?;
    inspection.owner = entry.socket;
    copy(&entry.conversation, &mut inspection.conversation);
    Some(inspection)
}

/// A send begins, whose bytes `buffers` gives. Whether all that it means is known.
#[inline(always)]
pub(super) fn inspect_send(entry: &mut Connection, buffers: impl FnOnce() -> Option<Buffers>, send: Send) -> bool {
    let Some(inspection) = claim(entry) else { return false };
    inspection.send = send;
    let Some(message) = buffers() else { return false };
    let _ = message.take_target();
    if entry.conversation.stage() == Stage::Http1 {
        message::load_prefix_and_head();
    } else {
        let _ = message.head(0);
    }
    let outcome = run_stages(&mut Split::<false>);
    keep_with_target(entry) && outcome == Exactness::Exact
}

/// What goes out with the SYN of a socket. Of requests of HTTP/1 the end is not looked for, and what other applications mean
/// is not known: sock_ops, which hears this, would have to be verified for all of it at each start.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn inspect_syn(socket: u64, msghdr: u64) -> u32 {
    let message = MessageHeader::<Probed>::new(msghdr as *const u8);
    let len = message.remaining();
    let Some(entry) = entry::at(socket).filter(|_| len > 0) else { return 0 };
    let _ = entry.conversation.turn.begin_chunk(0, len);
    let send = Send { at: 0, received: 0, consumed: 0, len, after_unseen: false, greeted: false };
    if !is_known(entry, message, send) {
        entry::mark_inexact(entry);
    }
    0
}

#[inline(always)]
fn is_known(entry: &mut Connection, message: MessageHeader<Probed>, send: Send) -> bool {
    let Some(inspection) = claim(entry) else { return false };
    inspection.send = send;
    let Some(message) = message.buffers() else { return false };
    let _ = message.take_target();
    let _ = message.head(0);
    let outcome = run_stages(&mut Split::<true>);
    let is_kept = keep_with_target(entry);
    entry.conversation.leave_open();
    is_kept && outcome == Exactness::Exact
}

/// `read` bytes were read. Whether all that their beginning means is known; None if they cannot be seen.
#[inline(always)]
pub(super) fn inspect_read(entry: &mut Connection, written: u64, read: u32) -> Option<bool> {
    let inspection = claim(entry)?;
    inspection.written = written;
    message::caller_buffer(read)?;
    let outcome = inspect_answer();
    Some(keep(entry) && outcome == EXACT)
}

/// The steps of a send, each verified by itself. `IS_SYN`: as [`inspect_syn`] does it.
struct Split<const IS_SYN: bool>;

impl<const IS_SYN: bool> Stages for Split<IS_SYN> {
    #[inline(always)]
    fn stage(&self) -> Stage {
        // Without what is heard no step finds it either, and says that it is inexact.
        inspection().map_or(Stage::Other, |inspection| inspection.conversation.stage())
    }

    #[inline(always)]
    fn inspect_opening(&mut self) -> Exactness {
        exactness(inspect_opening())
    }

    #[inline(always)]
    fn inspect_handshake(&mut self) -> Exactness {
        exactness(inspect_handshake())
    }

    #[inline(always)]
    fn inspect_tls(&mut self) -> Exactness {
        exactness(inspect_tls())
    }

    #[inline(always)]
    fn inspect_http1(&mut self) -> Exactness {
        if IS_SYN { Exactness::Exact } else { exactness(inspect_http1()) }
    }

    #[inline(always)]
    fn inspect_other(&mut self) -> Exactness {
        if IS_SYN { Exactness::Inexact } else { exactness(inspect_other()) }
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
    let Some(inspection) = inspection() else { return false };
    if inspection.owner != entry.socket {
        // Nor is what the other one hears to be relied on, if it is not through.
        inspection.owner = 0;
        return false;
    }
    copy(&inspection.conversation, &mut entry.conversation);
    true
}
