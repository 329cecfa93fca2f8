//! Sends, receives and connects by io_uring: no system call of the program's is there to be seen, and with a polling
//! kernel thread it is not even the program that runs.

use std::{
    io,
    mem::zeroed,
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    process,
};

use io_uring::{
    IoUring, opcode,
    squeue::{Entry, Flags},
    types::Fd,
};
use serde_json::json;

use crate::support::{
    conversation::{Conversation, some},
    http::{OK, serve},
    machine::Machine,
    report::assert_fields,
    sockets::socket,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// Has one thing done, and waits for it: how many bytes that were.
fn act(ring: &mut IoUring, entry: &Entry) -> usize {
    // SAFETY: what the entries here point to outlives this call, which waits until they are done with.
    unsafe { ring.submission().push(entry) }.expect("the ring has room");
    ring.submit_and_wait(1).expect("it can be submitted");
    let result = ring.completion().next().expect("it is done").result();
    usize::try_from(result).unwrap_or_else(|_| panic!("{}", io::Error::from_raw_os_error(-result)))
}

fn connect(ring: &mut IoUring, socket: Fd, address: SocketAddr, flags: Flags) {
    let SocketAddr::V4(address) = address else { panic!("the peer listens on IPv4: {address}") };
    // SAFETY: all zeros is a valid address.
    let mut to: libc::sockaddr_in = unsafe { zeroed() };
    to.sin_family = libc::AF_INET as libc::sa_family_t;
    to.sin_port = address.port().to_be();
    to.sin_addr.s_addr = u32::from(*address.ip()).to_be();
    let len = size_of_val(&to) as libc::socklen_t;
    assert_eq!(act(ring, &opcode::Connect::new(socket, (&raw const to).cast(), len).build().flags(flags)), 0);
}

/// Three requests by this ring, on a connection of its own making.
fn three(mut ring: IoUring, flags: Flags) -> Conversation {
    some(
        &Machine::shared(),
        1,
        |mut stream: TcpStream| serve(&mut stream),
        |peer| {
            let owned: OwnedFd = socket();
            let socket = Fd(owned.as_raw_fd());
            connect(&mut ring, socket, peer.address, flags);
            for _ in 0..3 {
                let send = opcode::Send::new(socket, REQUEST.as_ptr(), REQUEST.len() as u32).build();
                assert_eq!(act(&mut ring, &send.flags(flags)), REQUEST.len());
                let mut answer = [0; OK.len()];
                let receive = opcode::Recv::new(socket, answer.as_mut_ptr(), answer.len() as u32);
                let receive = receive.flags(libc::MSG_WAITALL).build();
                assert_eq!(act(&mut ring, &receive.flags(flags)), answer.len());
                assert_eq!(answer, OK);
            }
        },
    )
}

#[track_caller]
fn assert_ours(conversation: &Conversation) {
    conversation.assert_exact(3, "plain");
    assert_fields(conversation.report.only("close"), &json!({ "pid": process::id() }));
}

#[test]
fn submitted() {
    assert_ours(&three(IoUring::new(8).expect("this kernel allows io_uring"), Flags::empty()));
}

/// By threads that the kernel keeps for what has to wait.
#[test]
fn by_workers() {
    assert_ours(&three(IoUring::new(8).expect("this kernel allows io_uring"), Flags::ASYNC));
}

#[test]
fn by_a_thread_that_polls() {
    let ring = IoUring::builder().setup_sqpoll(1000).build(8).expect("this kernel allows io_uring");
    assert_ours(&three(ring, Flags::empty()));
}
