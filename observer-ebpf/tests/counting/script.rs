//! A conversation as a script, written with knowledge of its meaning.

use tcp_reuse_watch_ebpf::Application;

/// An event caused by the application or its peer.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The application sends these buffers in one call.
    Send(Vec<Vec<u8>>),
    /// The same, and the hook always runs, because nothing else could tell.
    SendSeen(Vec<Vec<u8>>),
    /// It sends, and another thread reads an answer before the kernel has taken all of the send.
    SendAnswered(Vec<u8>, Vec<u8>),
    /// It sends this many bytes of a file.
    SendFile(usize),
    /// The peer's payload arrives and stays unread.
    Arrive(Vec<u8>),
    /// The application reads everything that has arrived.
    Read,
    /// The peer's payload arrives and is all read, possibly while arriving.
    Answer(Vec<u8>),
}

/// How an application reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// With any buffer size, from payload that arrives in pieces.
    #[default]
    Any,
    /// Everything at once.
    Whole,
    /// Like OpenSSL: a record's header, then the rest. Everything has arrived before.
    Records,
}

/// A conversation with its true number of exchanges.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent properties of a conversation")]
pub(crate) struct Script {
    pub(crate) events: Vec<Event>,
    pub(crate) exchanges: u64,
    pub(crate) reading: Reading,
    /// Part of it is ambiguous even if every hook runs.
    pub(crate) may_be_marked: bool,
    /// The last send was an upload.
    pub(crate) has_uploaded: bool,
    /// The final protocol, if it differs from the initial one.
    pub(crate) becomes: Option<Application>,
    /// The first bytes of an answer identify the protocol.
    pub(crate) is_told_by_answer: bool,
    /// A whole answer is needed to tell preliminary from final answers.
    pub(crate) is_told_by_statuses: bool,
}

impl Script {
    pub(crate) fn send(&mut self, bytes: impl Into<Vec<u8>>) {
        self.send_vectored(vec![bytes.into()]);
    }

    pub(crate) fn send_vectored(&mut self, buffers: Vec<Vec<u8>>) {
        if buffers.iter().any(|buffer| !buffer.is_empty()) {
            self.events.push(Event::Send(buffers));
        }
    }

    pub(crate) fn send_seen(&mut self, bytes: impl Into<Vec<u8>>) {
        self.events.push(Event::SendSeen(vec![bytes.into()]));
    }

    pub(crate) fn send_answered(&mut self, bytes: impl Into<Vec<u8>>, answer: impl Into<Vec<u8>>) {
        self.events.push(Event::SendAnswered(bytes.into(), answer.into()));
    }

    pub(crate) fn send_file(&mut self, bytes: usize) {
        if bytes > 0 {
            self.events.push(Event::SendFile(bytes));
        }
    }

    /// Sends in several calls, cut at these offsets.
    pub(crate) fn send_in_pieces(&mut self, bytes: &[u8], cuts: &[usize]) {
        for piece in pieces(bytes, cuts) {
            self.send(piece);
        }
    }

    pub(crate) fn arrive(&mut self, bytes: impl Into<Vec<u8>>) {
        self.events.push(Event::Arrive(bytes.into()));
    }

    pub(crate) fn read(&mut self) {
        self.events.push(Event::Read);
    }

    pub(crate) fn answer(&mut self, bytes: impl Into<Vec<u8>>) {
        self.events.push(Event::Answer(bytes.into()));
    }

    /// The answer to an ask.
    pub(crate) fn answered(&mut self, bytes: impl Into<Vec<u8>>) {
        self.exchange();
        self.answer(bytes);
    }

    /// Counts an ask that is answered.
    pub(crate) fn exchange(&mut self) {
        self.exchanges += 1;
    }
}

/// The nonempty pieces between the cuts.
pub(crate) fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}
