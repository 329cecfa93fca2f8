//! The definition of an exchange: the client sends, and then receives. Each test has a client and a peer of its own,
//! which use just enough HTTP for each turn to be a known request. See unrecognised.rs for unrecognised protocols.

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

/// Watches one connection of `client` to a peer that runs `talk`, until both sides have closed it.
fn watch_one(talk: impl Fn(TcpStream) + Send + Sync + 'static, client: impl FnOnce(TcpStream)) -> Report {
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
    stream.read_to_end(&mut Vec::new()).expect("cannot read to the peer's FIN")
}

/// Reads a request with its body.
fn read_upload(stream: &mut TcpStream) {
    let head = read_head(stream).expect("cannot read the request");
    read_body(stream, &head);
}

#[test]
fn connection_without_data_is_unused() {
    let report = watch_one(|mut stream| assert_eq!(read_to_end(&mut stream), 0), drop);
    assert_exchanges(&report, 0);
    assert_eq!(report.summary["totals"]["reuse_ratio"], Value::Null);
    assert_fields(report.only("close"), &json!({ "sent_bytes": 0, "received_bytes": 0, "idle_us": null }));
}

#[test]
fn each_request_with_its_answer_is_an_exchange() {
    let report = watch_one(echo, |mut stream| (0..7).for_each(|_| ask(&mut stream)));
    assert_exchanges(&report, 7);
    assert_fields(report.only("close"), &json!({ "sent_bytes": 126, "received_bytes": 126, "protocol": "plain" }));
}

#[test]
fn request_and_answer_in_pieces_are_one_exchange() {
    let report = watch_one(
        |mut stream| {
            read_upload(&mut stream);
            for _ in 0..100 {
                stream.write_all(&[b'.'; 10]).expect("cannot send the answer");
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
fn upload_is_one_exchange() {
    const LENGTH: usize = 4 << 20;
    let report = watch_one(
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
fn upload_by_sendfile_is_one_exchange() {
    const LENGTH: usize = 1 << 20;
    let file = tempfile::tempfile().expect("cannot create a file");
    file.write_all_at(&vec![b'.'; LENGTH], 0).expect("cannot write the file");
    let report = watch_one(
        |mut stream| {
            read_upload(&mut stream);
            send(&mut stream, "thanks");
        },
        |mut stream| {
            send(&mut stream, upload(LENGTH));
            // The standard library uses sendfile(2) for this.
            assert_eq!(io::copy(&mut &file, &mut stream).expect("cannot send"), LENGTH as u64);
            assert_eq!(read_to_end(&mut stream), 6);
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "sent_bytes": upload(LENGTH).len() + LENGTH, "protocol": "plain" }));
}

#[test]
fn data_without_an_answer_is_one_exchange_at_the_close() {
    let sent = upload(50).len() + 50;
    let report = watch_one(
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
fn request_that_is_reset_is_no_exchange() {
    let report = watch_one(
        |mut stream| {
            read_request(&mut stream);
            reset_on_close(&stream);
        },
        |mut stream| {
            send_request(&mut stream);
            stream.read_exact(&mut [0]).expect_err("the peer should reset the connection");
        },
    );
    assert_exchanges(&report, 0);
}

#[test]
fn answer_after_a_half_close_completes_the_exchange() {
    let report = watch_one(
        |mut stream| {
            assert_eq!(read_to_end(&mut stream), REQUEST.len());
            // The state of the client's socket has settled by the time the answer arrives.
            sleep(Duration::from_millis(50));
            send_answer(&mut stream);
        },
        |mut stream| {
            send_request(&mut stream);
            stream.shutdown(Shutdown::Write).expect("cannot shut down the stream");
            assert_eq!(read_to_end(&mut stream), REQUEST.len());
        },
    );
    assert_exchanges(&report, 1);
    assert_fields(report.only("close"), &json!({ "closed_by": "local", "how": "fin" }));
}

#[test]
fn answer_read_after_the_peers_close_completes_the_exchange() {
    let report = watch_one(
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
fn answer_that_is_only_peeked_at_is_no_exchange() {
    let report = watch_one(echo, |mut stream| {
        send_request(&mut stream);
        for _ in 0..3 {
            assert_eq!(stream.peek(&mut [0; REQUEST.len()]).expect("cannot read the answer"), REQUEST.len());
        }
    });
    assert_exchanges(&report, 0);
    assert_fields(report.only("close"), &json!({ "unread_bytes": REQUEST.len(), "closed_by": "local", "how": "rst" }));
}

#[test]
fn peek_before_a_read_counts_once() {
    let report = watch_one(echo, |mut stream| {
        for _ in 0..3 {
            send_request(&mut stream);
            assert_eq!(stream.peek(&mut [0; REQUEST.len()]).expect("cannot read the answer"), REQUEST.len());
            read_answer(&mut stream);
        }
    });
    assert_exchanges(&report, 3);
}
