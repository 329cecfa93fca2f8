//! What is an exchange: the client has sent, and then it has received. Each case is a client and a peer within this test,
//! which speak as little of HTTP as makes each turn known to be a request. What is not known: see unrecognised.rs.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::fs::FileExt as _,
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    http::{read_body, read_head, send, upload},
    machine::Machine,
    peer::{Peer, REQUEST, ask, echo, read_answer, read_request, send_answer, send_request},
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
    let close = report.only("close");
    assert_fields(close, &json!({ "exchanges": exchanges, "exact": true }));
    let rows = report.of_type("exchange");
    assert_eq!(rows.len() as u64, exchanges, "{report:#?}");
    let application = |is_known| if is_known { json!("http1") } else { Value::Null };
    assert_eq!(close["application"], application(close["sent_bytes"] != 0), "{close:#}");
    assert!(rows.iter().all(|row| row["application"] == "http1"), "{rows:#?}");
    assert_eq!(report.groups()[0]["application"], application(exchanges > 0), "{:#}", report.summary);
}

fn read_to_end(stream: &mut TcpStream) -> usize {
    stream.read_to_end(&mut Vec::new()).expect("the peer ends in order")
}

/// Reads a request with its body.
fn read_upload(stream: &mut TcpStream) {
    let head = read_head(stream).expect("a request comes");
    read_body(stream, &head);
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
    let report = one(echo, |mut stream| (0..7).for_each(|_| ask(&mut stream)));
    assert_exchanges(&report, 7);
    assert_fields(report.only("close"), &json!({ "sent_bytes": 126, "received_bytes": 126, "protocol": "plain" }));
}

#[test]
fn requests_and_answers_in_pieces_are_one() {
    let report = one(
        |mut stream| {
            read_upload(&mut stream);
            for _ in 0..100 {
                stream.write_all(&[b'.'; 10]).expect("the client takes the answer");
                sleep(Duration::from_micros(100));
            }
        },
        |mut stream| {
            send(&mut stream, upload(500));
            for _ in 0..100 {
                send(&mut stream, "hello");
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
            read_upload(&mut stream);
            send(&mut stream, "thanks");
        },
        |mut stream| {
            send(&mut stream, [upload(LENGTH).into(), vec![b'.'; LENGTH]].concat());
            assert_eq!(read_to_end(&mut stream), 6);
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "sent_bytes": upload(LENGTH).len() + LENGTH, "received_bytes": 6 }));
}

#[test]
fn a_file_is_sent_from_the_kernel() {
    const LENGTH: usize = 1 << 20;
    let file = tempfile::tempfile().expect("a file can be made");
    file.write_all_at(&vec![b'.'; LENGTH], 0).expect("it can be written");
    let report = one(
        |mut stream| {
            read_upload(&mut stream);
            send(&mut stream, "thanks");
        },
        |mut stream| {
            send(&mut stream, upload(LENGTH));
            // The standard library takes sendfile(2) for this.
            assert_eq!(io::copy(&mut &file, &mut stream).expect("it can be sent"), LENGTH as u64);
            assert_eq!(read_to_end(&mut stream), 6);
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "sent_bytes": upload(LENGTH).len() + LENGTH, "protocol": "plain" }));
}

#[test]
fn one_who_only_sends_has_one_at_the_end() {
    let sent = upload(50).len() + 50;
    let report = one(
        move |mut stream| assert_eq!(read_to_end(&mut stream), sent),
        |mut stream| {
            send(&mut stream, upload(50));
            (0..10).for_each(|_| send(&mut stream, "a log"));
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "sent_bytes": sent, "received_bytes": 0, "how": "fin" }));
}

#[test]
fn a_request_that_is_reset_is_none() {
    let report = one(
        |mut stream| {
            read_request(&mut stream);
            reset_on_close(&stream);
        },
        |mut stream| {
            send_request(&mut stream);
            stream.read_exact(&mut [0]).expect_err("the peer resets");
        },
    );
    assert_exchanges(&report, 0);
}

#[test]
fn a_half_closed_connection_still_gets_its_answer() {
    let report = one(
        |mut stream| {
            assert_eq!(read_to_end(&mut stream), REQUEST.len());
            // The state of the client's socket has settled when the answer comes.
            sleep(Duration::from_millis(50));
            send_answer(&mut stream);
        },
        |mut stream| {
            send_request(&mut stream);
            stream.shutdown(Shutdown::Write).expect("it can be half closed");
            assert_eq!(read_to_end(&mut stream), REQUEST.len());
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "closed_by": "local", "how": "fin" }));
}

#[test]
fn an_answer_that_is_read_after_the_peer_has_closed() {
    let report = one(
        |mut stream| {
            read_request(&mut stream);
            send_answer(&mut stream);
        },
        |mut stream| {
            send_request(&mut stream);
            sleep(Duration::from_millis(50));
            assert_eq!(read_to_end(&mut stream), REQUEST.len());
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "closed_by": "peer", "how": "fin" }));
}

#[test]
fn an_answer_that_is_only_peeked_at_is_none() {
    let report = one(echo, |mut stream| {
        send_request(&mut stream);
        for _ in 0..3 {
            assert_eq!(stream.peek(&mut [0; REQUEST.len()]).expect("an answer comes"), REQUEST.len());
        }
    });
    assert_exchanges(&report, 0);
    assert_fields(report.only("close"), &json!({ "unread_bytes": REQUEST.len(), "closed_by": "local", "how": "rst" }));
}

#[test]
fn a_peek_before_the_read_does_not_count_twice() {
    let report = one(echo, |mut stream| {
        for _ in 0..3 {
            send_request(&mut stream);
            assert_eq!(stream.peek(&mut [0; REQUEST.len()]).expect("an answer comes"), REQUEST.len());
            read_answer(&mut stream);
        }
    });
    assert_exchanges(&report, 3);
}
