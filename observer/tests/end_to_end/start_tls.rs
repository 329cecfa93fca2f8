//! STARTTLS: TLS after a few turns in the clear. The protocol within TLS is unknown, so its turns are always marked.
//! See postgresql.rs, mysql.rs and ldap.rs for protocols with their own form of STARTTLS.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

use serde_json::json;

use crate::{
    proxies::pass_on,
    support::{
        go::Server,
        http::send,
        machine::Machine,
        peer::{Peer, connect},
        programs::program,
        tool::Process,
    },
};

const REQUESTS: u64 = 3;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn expect(stream: &mut TcpStream, line: &str) {
    let mut read = vec![0; line.len()];
    stream.read_exact(&mut read).expect("cannot read the line");
    assert_eq!(String::from_utf8_lossy(&read), line);
}

/// A mail server's STARTTLS, in front of a TLS server.
fn submission(mut client: TcpStream, server: SocketAddr) {
    send(&mut client, "220 here ESMTP\r\n");
    expect(&mut client, "EHLO mail.example.com\r\n");
    send(&mut client, "250-here\r\n250 STARTTLS\r\n");
    expect(&mut client, "STARTTLS\r\n");
    send(&mut client, "220 go on\r\n");
    pass_on(&client, &connect(server));
}

fn ask(address: SocketAddr) {
    let mut openssl = program("openssl", "openssl");
    openssl.args(["s_client", "-quiet", "-no_ign_eof", "-starttls", "smtp", "-connect", &address.to_string()]);
    let mut client = Process::start(openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut stdin = client.child.stdin.take().expect("the stream is piped");
    let mut answers = BufReader::new(client.child.stdout.take().expect("the stream is piped")).lines();
    for _ in 0..REQUESTS {
        stdin.write_all(REQUEST).expect("cannot write to openssl");
        let mut headers = answers.by_ref().map(|line| line.expect("the answer is UTF-8"));
        assert!(headers.any(|line| line.is_empty()), "an answer has headers");
    }
    drop(stdin);
    client.wait(Duration::from_mins(2));
}

#[test]
fn turns_after_start_tls_are_marked() {
    for version in ["1.2", "1.3"] {
        let machine = Machine::shared();
        let server = Server::start(&format!("-tls {version}"));
        let behind = server.address();
        let peer = Peer::new(move |client| submission(client, behind));
        let watch = machine.watch(format!("-p {}", peer.port()));
        ask(peer.address);
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (1, REQUESTS), "counts of the server");
        peer.wait_for(1);
        let report = watch.end();
        report.assert_totals(&json!({ "opened": 1, "closed": 1, "failed": 0, "unused": 0 }));
        report.assert_marked("tls", None);
    }
}
