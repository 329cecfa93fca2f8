//! Sends, receives and connects through io_uring: the program makes no system calls for them, and with a polling kernel
//! thread it does not even run.

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
    conversation::{Conversation, converse},
    http::{OK, serve},
    machine::Machine,
    report::assert_fields,
    sockets::socket,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// Submits one operation, waits for it, and returns the number of bytes.
fn act(ring: &mut IoUring, entry: &Entry) -> usize {
    // SAFETY: the data that the entry points to outlives this call, which waits until the operation has completed.
    unsafe { ring.submission().push(entry) }.expect("the ring has room");
    ring.submit_and_wait(1).expect("cannot submit to the ring");
    let result = ring.completion().next().expect("the operation has completed").result();
    usize::try_from(result).unwrap_or_else(|_| panic!("{}", io::Error::from_raw_os_error(-result)))
}

fn connect(ring: &mut IoUring, socket: Fd, address: SocketAddr, flags: Flags) {
    let SocketAddr::V4(address) = address else { panic!("not an IPv4 address: {address}") };
    // SAFETY: all zeros is a valid address.
    let mut to: libc::sockaddr_in = unsafe { zeroed() };
    to.sin_family = libc::AF_INET as libc::sa_family_t;
    to.sin_port = address.port().to_be();
    to.sin_addr.s_addr = u32::from(*address.ip()).to_be();
    let len = size_of_val(&to) as libc::socklen_t;
    assert_eq!(act(ring, &opcode::Connect::new(socket, (&raw const to).cast(), len).build().flags(flags)), 0);
}

/// Makes three requests through this ring, on a connection that the ring opens.
fn three(mut ring: IoUring, flags: Flags) -> Conversation {
    converse(
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
fn assert_three_exchanges_of_this_process(conversation: &Conversation) {
    conversation.assert_exact(3, "plain");
    assert_fields(conversation.report.only("close"), &json!({ "pid": process::id() }));
}

#[test]
fn submitted_operations_are_exact() {
    assert_three_exchanges_of_this_process(&three(IoUring::new(8).expect("cannot create a ring"), Flags::empty()));
}

/// Uses the kernel's worker threads for blocking operations.
#[test]
fn operations_of_worker_threads_are_exact() {
    assert_three_exchanges_of_this_process(&three(IoUring::new(8).expect("cannot create a ring"), Flags::ASYNC));
}

#[test]
fn operations_of_a_polling_thread_are_exact() {
    let ring = IoUring::builder().setup_sqpoll(1000).build(8).expect("cannot create a ring");
    assert_three_exchanges_of_this_process(&three(ring, Flags::empty()));
}
