//! TCP Fast Open: the SYN carries the first send, before any hook sees the connection. See curl.rs for curl.

use std::{
    io::{self, Read as _, Write as _},
    mem::zeroed,
    net::TcpStream,
    os::fd::{AsRawFd as _, OwnedFd},
};

use serde_json::json;

use crate::support::{
    conversation::{Conversation, converse},
    eventually, http,
    machine::Machine,
    peer::Peer,
    sockets::{connect, enable_option, socket},
};

/// A connection whose SYN is deferred to the first send, and carries its data.
fn deferred(peer: &Peer) -> TcpStream {
    let socket: OwnedFd = socket();
    enable_option(&socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT);
    connect(&socket, peer.address).expect("cannot defer the connect");
    TcpStream::from(socket)
}

/// Whether the peer accepted the data in the SYN.
fn syn_carried_data(stream: &TcpStream) -> bool {
    /// `TCPI_OPT_SYN_DATA` (include/uapi/linux/tcp.h).
    const SYN_DATA: u8 = 32;
    // SAFETY: the struct consists of integers, for which zero is valid.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: `info` has room for `len` bytes.
    let got = unsafe {
        libc::getsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut len)
    };
    assert_eq!(got, 0, "{}", io::Error::last_os_error());
    info.tcpi_options & SYN_DATA != 0
}

/// Makes three connections that carry this message in the SYN, and send nothing else. The first may have to request a
/// cookie instead.
fn three(
    message: &'static [u8],
    talk: impl Fn(TcpStream) -> u64 + Send + Sync + 'static,
    answer: usize,
) -> Conversation {
    let mut machine = Machine::alone();
    machine.allow_fast_open();
    converse(&machine, 3, talk, |peer| {
        for n in 0..3 {
            let mut stream = deferred(peer);
            http::send(&mut stream, message);
            stream.read_exact(&mut vec![0; answer]).expect("cannot read the answer");
            eventually("the SYN has carried the request", || n == 0 || syn_carried_data(&stream));
        }
    })
}

#[test]
fn http_request_within_the_syn_is_exact() {
    let answer = http::OK.len();
    three(b"GET / HTTP/1.1\r\n\r\n", |mut stream| http::serve(&mut stream), answer).assert_exact(3, "plain");
}

#[test]
fn unrecognised_data_within_the_syn_is_marked() {
    let talk = |mut stream: TcpStream| {
        stream.read_exact(&mut [0; 5]).expect("cannot read the request");
        stream.write_all(b"thanks").expect("cannot send the answer");
        1
    };
    three(b"hello", talk, 6).assert_turns(3);
}

/// Without an answer, it is one turn by definition.
#[test]
fn unanswered_data_within_the_syn_is_one_turn() {
    let talk = |mut stream: TcpStream| {
        assert_eq!(stream.read_to_end(&mut Vec::new()).expect("cannot read to the client's FIN"), 5);
        1
    };
    three(b"a log", talk, 0).assert_turns(3);
}

#[test]
fn requests_after_the_syn_are_counted() {
    let mut machine = Machine::alone();
    machine.allow_fast_open();
    let conversation = converse(
        &machine,
        2,
        |mut stream| http::serve(&mut stream),
        |peer| {
            for _ in 0..2 {
                let mut stream = deferred(peer);
                for _ in 0..3 {
                    http::send(&mut stream, "GET / HTTP/1.1\r\n\r\n");
                    http::read_answer(&mut stream);
                }
            }
        },
    );
    conversation.assert_exact(6, "plain");
    conversation.report.assert_totals(&json!({ "new": 2, "reused": 4 }));
}
