//! Inspection of a send or an answer, in stages that the verifier checks one at a time.
//!
//! The verifier follows every path through a program, including calls of ordinary functions. So each stage is a global
//! function, which is verified once, separately (since 5.6), with nothing assumed about its result. Until 5.13 such
//! functions take only numbers, so the data is in maps: the message at hand (`message.rs`), and here a copy of the
//! conversation.
//!
//! On preemptible kernels another program may run in between on the same processor and inspect something else. The
//! owner of the copy differs then: the result is discarded and the connection is marked.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use tcp_reuse_watch_ebpf::{Connection, Conversation, Exactness, Message as _, Send, Stage, Stages, run_stages};

use super::{
    entry::{self, pool},
    memory::Probed,
    message::{self, Buffers, MessageHeader, scratch},
};

/// The inspection in progress.
#[repr(C)]
struct Inspection {
    conversation: Conversation,
    send: Send,
    /// Address of the socket that is being inspected.
    owner: u64,
    /// Bytes that the application had written when it read the answer.
    written: u64,
}

/// One for each processor.
#[map]
static INSPECTION: PerCpuArray<Inspection> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
fn inspection() -> Option<&'static mut Inspection> {
    // SAFETY: a pointer into a map value, checked for null.
    INSPECTION.get_ptr_mut(0).map(|inspection| unsafe { &mut *inspection })
}

/// Return values of a stage.
const EXACT: u32 = Exactness::Exact as u32;
const INEXACT: u32 = Exactness::Inexact as u32;

/// Decodes a stage's return value.
#[inline(always)]
fn exactness(returned: u32) -> Exactness {
    if returned == EXACT { Exactness::Exact } else { Exactness::Inexact }
}

/// Defines a stage: a function that is verified separately.
macro_rules! stage {
    ($(#[$doc:meta])* $name:ident, |$inspection:ident, $message:ident| $inspect:expr) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name() -> u32 {
            let (Some($inspection), Some($message)) = (inspection(), scratch()) else { return INEXACT };
            let exactness: Exactness = $inspect;
            exactness as u32
        }
    };
}

stage!(
    /// The opening of a conversation.
    inspect_opening,
    |inspection, message| inspection.conversation.inspect_opening(message, &mut inspection.send)
);
stage!(
    /// A send during the TLS handshake.
    inspect_handshake,
    |inspection, message| inspection.conversation.inspect_handshake(message, &mut inspection.send)
);
stage!(
    /// A send of TLS data.
    inspect_tls,
    |inspection, message| inspection.conversation.inspect_tls(message, inspection.send)
);
stage!(
    /// An HTTP/1 send.
    inspect_http1,
    |inspection, message| inspection.conversation.inspect_http1(message, inspection.send)
);
stage!(
    /// A send of another application in the clear.
    inspect_other,
    |inspection, message| inspection.conversation.inspect_other(message, inspection.send)
);
stage!(
    /// The first bytes of an answer.
    inspect_answer,
    |inspection, message| {
        let len = message.len;
        inspection.conversation.inspect_answer(message, inspection.written, len)
    }
);

/// Copies a conversation word by word. The compiler turns an assignment into a call of `memmove()`, which copies single
/// bytes.
#[inline(always)]
fn copy(from: &Conversation, to: &mut Conversation) {
    // SAFETY: both are references, and a mutable one overlaps with nothing.
    unsafe { core::ptr::copy_nonoverlapping(from, to, 1) };
}

/// Starts an inspection of a connection. Runs before the message is loaded, so the loaded message belongs to this
/// owner.
#[inline(always)]
fn claim(entry: &Connection) -> Option<&'static mut Inspection> {
    let inspection = inspection()?;
    inspection.owner = entry.socket;
    copy(&entry.conversation, &mut inspection.conversation);
    Some(inspection)
}

/// Inspects a send at its start. `buffers` gives its bytes. Returns whether its meaning is fully known.
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

/// Inspects the data that goes out with a socket's SYN. It does not look for the end of HTTP/1 requests, and it treats
/// other applications as unknown, because sock_ops calls it and would have to be verified for all of that at each
/// start.
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

/// Inspects an answer after a read of `read` bytes. Returns whether its meaning is fully known, or None if its bytes
/// cannot be read.
#[inline(always)]
pub(super) fn inspect_read(entry: &mut Connection, written: u64, read: u32) -> Option<bool> {
    let inspection = claim(entry)?;
    inspection.written = written;
    message::caller_buffer(read)?;
    let outcome = inspect_answer();
    Some(keep(entry) && outcome == EXACT)
}

/// The stages of a send, each verified separately. `IS_SYN` restricts them as [`inspect_syn`] says.
struct Split<const IS_SYN: bool>;

impl<const IS_SYN: bool> Stages for Split<IS_SYN> {
    #[inline(always)]
    fn stage(&self) -> Stage {
        // Without a map value every stage returns inexact.
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

/// Keeps the result and notes the connection's target.
#[inline(always)]
fn keep_with_target(entry: &mut Connection) -> bool {
    let target = scratch().map_or(0, message::Scratch::take_target);
    let is_kept = keep(entry);
    if is_kept && target != 0 {
        pool::note_target(entry, target);
    }
    is_kept
}

/// Keeps the result, unless another program has inspected something else in the meantime.
#[inline(always)]
fn keep(entry: &mut Connection) -> bool {
    let Some(inspection) = inspection() else { return false };
    if inspection.owner != entry.socket {
        // The interrupted inspection is unreliable too, if it has not finished.
        inspection.owner = 0;
        return false;
    }
    copy(&inspection.conversation, &mut entry.conversation);
    true
}
