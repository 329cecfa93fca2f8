//! What is an exchange: the client has sent, and then it has received. Each case is a client and a peer within this test.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::fs::FileExt as _,
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    machine::Machine,
    peer::{Peer, ask},
    report::{Report, assert_fields},
    sockets::reset_on_close,
};

/// One connection of `client` to a peer that does `talk`, watched until both have closed it.
fn one(talk: impl Fn(TcpStream) + Send + Sync + 'static, client: impl FnOnce(TcpStream)) -> Report {
    let machine = Machine::shared();
    let peer = Peer::new(talk);
    let watch = machine.watch(format!("-p {} --exchanges", peer.port()));
    client(peer.connect());
    peer.wait_for(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "failed": 0 }));
    report
}

#[track_caller]
fn assert_exchanges(report: &Report, exchanges: u64) {
    let new = exchanges.min(1);
    report.assert_totals(&json!({ "exchanges": exchanges, "new": new, "unused": 1 - new }));
    assert_fields(report.only("close"), &json!({ "exchanges": exchanges, "exact": true }));
    assert_eq!(report.of_type("exchange").len() as u64, exchanges, "{report:#?}");
}

fn read_to_end(stream: &mut TcpStream) -> usize {
    stream.read_to_end(&mut Vec::new()).expect("the peer ends in order")
}

/// Reads what was asked, and answers with `answer` until the client closes.
fn answer_with(answer: &'static [u8]) -> impl Fn(TcpStream) {
    move |mut stream| {
        while let Ok(1..) = stream.read(&mut [0; 4096]) {
            stream.write_all(answer).expect("the client takes the answer");
        }
    }
}

#[test]
fn connected_and_closed_is_unused() {
    let report = one(|mut stream| assert_eq!(read_to_end(&mut stream), 0), drop);
    assert_exchanges(&report, 0);
    assert_eq!(report.summary["totals"]["reuse_ratio"], Value::Null);
    assert_fields(report.only("close"), &json!({ "sent_bytes": 0, "received_bytes": 0, "idle_us": null }));
}

#[test]
fn each_request_with_its_answer() {
    let report = one(crate::support::peer::echo, |mut stream| (0..7).for_each(|_| ask(&mut stream)));
    assert_exchanges(&report, 7);
    assert_fields(report.only("close"), &json!({ "sent_bytes": 35, "received_bytes": 35, "protocol": "plain" }));
}

#[test]
fn requests_and_answers_in_pieces_are_one() {
    let report = one(
        |mut stream| {
            stream.read_exact(&mut [0; 500]).expect("the whole request comes");
            for _ in 0..100 {
                stream.write_all(&[b'.'; 10]).expect("the client takes the answer");
                sleep(Duration::from_micros(100));
            }
        },
        |mut stream| {
            for _ in 0..100 {
                stream.write_all(b"hello").expect("a piece can be sent");
                sleep(Duration::from_micros(100));
            }
            assert_eq!(read_to_end(&mut stream), 1000);
        },
    );
    assert_exchanges(&report, 1);
}

#[test]
fn an_upload_is_one() {
    const LENGTH: usize = 4 << 20;
    let report = one(
        |mut stream| {
            stream.read_exact(&mut vec![0; LENGTH]).expect("the whole upload comes");
            stream.write_all(b"thanks").expect("the client takes the answer");
        },
        |mut stream| {
            stream.write_all(&vec![b'.'; LENGTH]).expect("it can be sent");
            assert_eq!(read_to_end(&mut stream), 6);
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "sent_bytes": LENGTH, "received_bytes": 6 }));
}

#[test]
fn a_file_is_sent_from_the_kernel() {
    const LENGTH: usize = 1 << 20;
    let file = tempfile::tempfile().expect("a file can be made");
    file.write_all_at(&vec![b'.'; LENGTH], 0).expect("it can be written");
    let report = one(
        |mut stream| {
            stream.read_exact(&mut vec![0; 5 + LENGTH]).expect("the whole upload comes");
            stream.write_all(b"thanks").expect("the client takes the answer");
        },
        |mut stream| {
            stream.write_all(b"hello").expect("the head can be sent");
            // The standard library takes sendfile(2) for this.
            assert_eq!(io::copy(&mut &file, &mut stream).expect("it can be sent"), LENGTH as u64);
            assert_eq!(read_to_end(&mut stream), 6);
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "sent_bytes": 5 + LENGTH, "protocol": "plain" }));
}

#[test]
fn one_who_only_sends_has_one_at_the_end() {
    let report = one(
        |mut stream| assert_eq!(read_to_end(&mut stream), 50),
        |mut stream| (0..10).for_each(|_| stream.write_all(b"a log").expect("it can be sent")),
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "sent_bytes": 50, "received_bytes": 0, "how": "fin" }));
}

#[test]
fn a_request_that_is_reset_is_none() {
    let report = one(
        |mut stream| {
            stream.read_exact(&mut [0; 5]).expect("a request comes");
            reset_on_close(&stream);
        },
        |mut stream| {
            stream.write_all(b"hello").expect("a request can be sent");
            stream.read_exact(&mut [0; 5]).expect_err("the peer resets");
        },
    );
    assert_exchanges(&report, 0);
}

#[test]
fn a_half_closed_connection_still_gets_its_answer() {
    let report = one(
        |mut stream| {
            assert_eq!(read_to_end(&mut stream), 5);
            // The state of the client's socket has settled when the answer comes.
            sleep(Duration::from_millis(50));
            stream.write_all(b"hello").expect("the client takes the answer");
        },
        |mut stream| {
            stream.write_all(b"hello").expect("a request can be sent");
            stream.shutdown(Shutdown::Write).expect("it can be half closed");
            assert_eq!(read_to_end(&mut stream), 5);
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "closed_by": "local", "how": "fin" }));
}

#[test]
fn an_answer_that_is_read_after_the_peer_has_closed() {
    let report = one(
        |mut stream| {
            stream.read_exact(&mut [0; 5]).expect("a request comes");
            stream.write_all(b"hello").expect("the client takes the answer");
        },
        |mut stream| {
            stream.write_all(b"hello").expect("a request can be sent");
            sleep(Duration::from_millis(50));
            assert_eq!(read_to_end(&mut stream), 5);
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "closed_by": "peer", "how": "fin" }));
}

#[test]
fn an_answer_that_is_only_peeked_at_is_none() {
    let report = one(answer_with(b"hello"), |mut stream| {
        stream.write_all(b"hello").expect("a request can be sent");
        for _ in 0..3 {
            assert_eq!(stream.peek(&mut [0; 5]).expect("an answer comes"), 5);
        }
    });
    assert_exchanges(&report, 0);
    assert_fields(report.only("close"), &json!({ "unread_bytes": 5, "closed_by": "local", "how": "rst" }));
}

#[test]
fn a_peek_before_the_read_does_not_count_twice() {
    let report = one(answer_with(b"hello"), |mut stream| {
        for _ in 0..3 {
            stream.write_all(b"hello").expect("a request can be sent");
            assert_eq!(stream.peek(&mut [0; 5]).expect("an answer comes"), 5);
            stream.read_exact(&mut [0; 5]).expect("an answer comes");
        }
    });
    assert_exchanges(&report, 3);
}
