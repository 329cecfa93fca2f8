//! How connections end: which side closed first, with FIN or RST, and how much was left unread.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process,
    thread::sleep,
    time::{Duration, Instant},
};

use jiff::{Timestamp, ToSpan as _};
use rustix::io::ioctl_fionread;
use serde_json::{Value, json};

use crate::support::{
    eventually,
    machine::Machine,
    peer::{Peer, ask, echo, read_request, send_answer, send_request},
    report::assert_fields,
    sockets::reset_on_close,
};

/// Watches one connection of `client` to a peer that runs `talk`, and returns its close row.
fn close_row(talk: impl Fn(TcpStream) + Send + Sync + 'static, client: impl FnOnce(TcpStream)) -> Value {
    timed_close_row(talk, |stream, _| client(stream))
}

/// The same for a client that is told when it began to connect.
fn timed_close_row(talk: impl Fn(TcpStream) + Send + Sync + 'static, client: impl FnOnce(TcpStream, Instant)) -> Value {
    let machine = Machine::shared();
    let peer = Peer::new(talk);
    let watch = machine.watch(format!("-p {}", peer.port()));
    let (before, began) = (Timestamp::now(), Instant::now());
    let stream = peer.connect();
    let after = Timestamp::now();
    let local = stream.local_addr().expect("the stream is connected").to_string();
    client(stream, began);
    peer.wait_until_gone(1);
    let report = watch.end();
    report.assert_complete();
    let about =
        json!({ "pid": process::id(), "local": local, "remote": peer.address.to_string(), "port": peer.port() });
    let close = report.only("close");
    for row in [report.only("open"), close] {
        assert_fields(row, &about);
    }
    let open = report.only("open");
    assert_eq!(open["id"], close["id"]);
    let opened: Timestamp = open["time"].as_str().and_then(|time| time.parse().ok()).expect("a time");
    // The wall clock may be adjusted a little during the test.
    let slack = 10.milliseconds();
    assert!((before - slack..=after + slack).contains(&opened), "{opened} is not in {before} to {after}");
    close.clone()
}

/// Waits until this many bytes are readable.
fn wait_for_bytes(stream: &TcpStream, bytes: u64) {
    eventually("the answer is readable", || ioctl_fionread(stream).expect("cannot read the number of bytes") >= bytes);
}

#[test]
fn local_fin_is_reported() {
    const PAUSE: Duration = Duration::from_millis(200);
    let mut until_its_end = Duration::ZERO;
    let close = timed_close_row(echo, |mut stream, began| {
        ask(&mut stream);
        sleep(PAUSE);
        drop(stream);
        until_its_end = began.elapsed();
    });
    assert_fields(&close, &json!({ "closed_by": "local", "how": "fin", "unread_bytes": 0, "exchanges": 1 }));
    assert!((PAUSE..=until_its_end).contains(&time(&close, "lifetime_us")), "{until_its_end:?}: {close:#}");
    assert!((PAUSE..=time(&close, "lifetime_us")).contains(&time(&close, "idle_us")), "{close:#}");
}

#[test]
fn peer_fin_is_reported() {
    let close = close_row(
        |mut stream| ask(&mut stream),
        |stream| {
            echo(stream);
        },
    );
    assert_fields(&close, &json!({ "closed_by": "peer", "how": "fin", "unread_bytes": 0 }));
}

#[test]
fn lifetime_ends_when_the_peer_closes() {
    const AFTER_THE_ANSWER: Duration = Duration::from_millis(200);
    let mut until_its_end = Duration::MAX;
    let close = timed_close_row(
        |mut stream| {
            read_request(&mut stream);
            send_answer(&mut stream);
            sleep(AFTER_THE_ANSWER);
        },
        |mut stream, began| {
            ask(&mut stream);
            assert_eq!(stream.read(&mut [0]).expect("cannot read to the peer's FIN"), 0);
            until_its_end = began.elapsed();
            // The client holds the connection for a while, which does not count.
            sleep(Duration::from_millis(500));
        },
    );
    assert_fields(&close, &json!({ "closed_by": "peer", "how": "fin", "exchanges": 1, "cause": "server-idle" }));
    assert!((AFTER_THE_ANSWER..=time(&close, "lifetime_us")).contains(&time(&close, "idle_us")), "{close:#}");
    assert!(time(&close, "lifetime_us") <= until_its_end, "{until_its_end:?}: {close:#}");
}

fn time(close: &Value, name: &str) -> Duration {
    Duration::from_micros(close[name].as_u64().expect("a time"))
}

#[test]
fn local_rst_is_reported() {
    let close = close_row(echo, |mut stream| {
        ask(&mut stream);
        reset_on_close(&stream);
    });
    assert_fields(&close, &json!({ "closed_by": "local", "how": "rst", "exchanges": 1 }));
}

#[test]
fn peer_rst_is_reported() {
    let close = close_row(
        |mut stream| {
            read_request(&mut stream);
            send_answer(&mut stream);
            read_request(&mut stream);
            reset_on_close(&stream);
        },
        |mut stream| {
            ask(&mut stream);
            send_request(&mut stream);
            stream.read_exact(&mut [0; 5]).expect_err("the peer should reset the connection");
        },
    );
    assert_fields(&close, &json!({ "closed_by": "peer", "how": "rst", "exchanges": 1 }));
}

#[test]
fn abandoned_two_megabyte_answer_is_reported_as_unread() {
    let close = close_row(
        |mut stream| {
            read_request(&mut stream);
            // The write fails when the client resets.
            let _ = stream.write_all(&vec![b'.'; 2 << 20]);
        },
        |mut stream| {
            send_request(&mut stream);
            stream.read_exact(&mut [0; 4096]).expect("cannot read the beginning of the answer");
            wait_for_bytes(&stream, 1);
        },
    );
    assert_fields(&close, &json!({ "closed_by": "local", "how": "rst", "exchanges": 1 }));
    assert!(close["unread_bytes"].as_u64() > Some(0), "{close:#}");
}

#[test]
fn unread_bytes_are_exact() {
    let close = close_row(
        |mut stream| {
            read_request(&mut stream);
            stream.write_all(&[b'.'; 1000]).expect("cannot send the answer");
            let _ = stream.read(&mut [0]);
        },
        |mut stream| {
            send_request(&mut stream);
            stream.read_exact(&mut [0; 100]).expect("cannot read the answer");
            wait_for_bytes(&stream, 900);
        },
    );
    assert_fields(&close, &json!({ "closed_by": "local", "how": "rst", "unread_bytes": 900, "exchanges": 1 }));
    assert_fields(&close, &json!({ "received_bytes": 1000 }));
}

#[test]
fn fin_is_not_counted_as_an_unread_byte() {
    let close = close_row(
        |mut stream| {
            read_request(&mut stream);
            stream.write_all(b"hello world").expect("cannot send the answer");
        },
        |mut stream| {
            send_request(&mut stream);
            stream.read_exact(&mut [0; 5]).expect("cannot read the answer");
            // The peer's FIN has arrived as well.
            sleep(Duration::from_millis(100));
        },
    );
    assert_fields(&close, &json!({ "closed_by": "peer", "unread_bytes": 6, "exchanges": 1 }));
}
