//! What is said on a connection, by one who knows what it means.

use tcp_reuse_watch_ebpf::Application;

/// What an application or its peer does.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The application sends, in one call, what is in these buffers.
    Send(Vec<Vec<u8>>),
    /// The same, and this hook is not skipped: without it nobody could tell.
    SendSeen(Vec<Vec<u8>>),
    /// It sends, and another thread reads an answer before the kernel has taken all of it.
    SendAnswered(Vec<u8>, Vec<u8>),
    /// It sends so many bytes of a file.
    SendFile(usize),
    /// The peer's payload comes, and nobody reads it yet.
    Arrive(Vec<u8>),
    /// The application reads all that has come.
    Read,
    /// The peer's payload comes, and all of it is read, perhaps while it comes.
    Answer(Vec<u8>),
}

/// How an application reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// With as much room as it likes, and what it reads comes in pieces.
    #[default]
    Any,
    /// All that there is, which came at once.
    Whole,
    /// As OpenSSL does: the head of a record, then the rest of it. It came at once, too.
    Records,
}

/// A conversation, with the number of exchanges in it that whoever wrote it knows.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "what is true of a conversation, in any combination")]
pub(crate) struct Script {
    pub(crate) events: Vec<Event>,
    pub(crate) exchanges: u64,
    pub(crate) reading: Reading,
    /// Something in it cannot be told from something else, even where every hook runs.
    pub(crate) may_be_marked: bool,
    /// What was sent last was an upload.
    pub(crate) has_uploaded: bool,
    /// What is spoken in the end, if not what it began with.
    pub(crate) becomes: Option<Application>,
    /// What is spoken, the first bytes of an answer tell.
    pub(crate) is_told_by_answer: bool,
    /// Which of several answers this is, all of it has to tell.
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

    /// In several calls, cut at these offsets.
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

    /// The answer to what was asked.
    pub(crate) fn answered(&mut self, bytes: impl Into<Vec<u8>>) {
        self.exchange();
        self.answer(bytes);
    }

    /// Something was asked, and is answered.
    pub(crate) fn exchange(&mut self) {
        self.exchanges += 1;
    }
}

/// What is between the cuts, without what is empty.
pub(crate) fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}
