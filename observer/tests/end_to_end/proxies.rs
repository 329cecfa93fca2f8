//! Proxies: `CONNECT` sets up a tunnel and is no exchange, and the requests within the tunnel are counted. The watch is
//! on the proxy's port, and the server behind the proxy counts independently.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    process::Command,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::support::{
    conversation::converse_once,
    go::{self, Server},
    http::{read_head, send, serve},
    machine::Machine,
    peer::{Peer, connect},
    programs::{output_of, program},
    report::assert_fields,
    tool::Process,
};

/// How many requests a proxy refuses before it opens a tunnel.
#[derive(Clone, Copy)]
pub(crate) struct Refusals(pub(crate) u32);

/// Opens a tunnel to the server that the client asks for.
pub(crate) fn tunnel(mut client: TcpStream, Refusals(refusals): Refusals) {
    for _ in 0..refusals {
        asked_for(&mut client);
        let authenticate = "Proxy-Authenticate: Basic realm=\"here\"\r\nContent-Length: 0\r\n\r\n";
        write!(client, "HTTP/1.1 407 Who are you\r\n{authenticate}").expect("cannot send the answer");
    }
    let server = connect(asked_for(&mut client).parse().expect("an address"));
    client.write_all(b"HTTP/1.1 200 There you are\r\n\r\n").expect("cannot send the answer");
    pass_on(&client, &server);
}

/// Forwards data in both directions until both sides have finished.
pub(crate) fn pass_on(client: &TcpStream, server: &TcpStream) {
    let pass = |mut from: &TcpStream, mut to: &TcpStream| {
        // Either side may already be closed or reset.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::scope(|scope| {
        scope.spawn(|| pass(server, client));
        pass(client, server);
    });
}

fn asked_for(client: &mut TcpStream) -> String {
    let head = read_head(client).expect("cannot read the tunnel request");
    let target = head.strip_prefix("connect ").expect("the method is CONNECT");
    target.split(' ').next().expect("a target").to_owned()
}

fn curl(proxy: &Peer, url: &str) -> Command {
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "", "--proxytunnel"]);
    curl.args(["--proxy", &format!("http://127.0.0.1:{}", proxy.port())]);
    for n in 0..5 {
        curl.args(["--output", "/dev/null"]).arg(format!("{url}/{n}"));
    }
    curl
}

/// Makes five requests on one connection through a proxy, to a server with these options.
fn five(server: &str, refusals: u32, client: impl FnOnce(&Peer, &str) -> Command) {
    let machine = Machine::shared();
    let (scheme, protocol) = if server.contains("-tls") { ("https", "tls") } else { ("http", "plain") };
    let server = Server::start(server);
    let proxy = Peer::new(move |stream| tunnel(stream, Refusals(refusals)));
    let watch = machine.watch(format!("-p {} --exchanges", proxy.port()));
    let mut client = Process::start(&mut client(&proxy, &format!("{scheme}://{}", server.address())));
    let status = client.wait(Duration::from_mins(2));
    assert!(status.success(), "the client ended with {status}");
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (1, 5), "counts of the server");
    proxy.wait_for(1);
    let report = watch.end();
    let close = report.only("close");
    assert_fields(close, &json!({ "exchanges": 5, "reused": 4, "exact": true, "protocol": protocol }));
    assert_fields(close, &json!({ "remote": proxy.address.to_string() }));
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 5, "new": 1, "reused": 4 }));
    report.assert_complete();
}

#[test]
fn requests_through_a_tunnel_to_a_plain_server_are_exact() {
    five("", 0, curl);
}

#[test]
fn requests_through_a_tunnel_to_a_tls_server_are_exact() {
    for version in ["1.2", "1.3"] {
        five(&format!("-tls {version}"), 0, curl);
    }
}

#[test]
fn requests_of_go_through_a_tunnel_to_a_tls_server_are_exact() {
    five("-tls 1.3", 0, |proxy, url| {
        go::client(&format!("-url {url} -tls 1.3 -read -times 5 -proxy http://{}", proxy.address))
    });
}

#[test]
fn proxy_authentication_is_no_exchange() {
    for server in ["", "-tls 1.3"] {
        five(server, 1, |proxy, url| {
            let mut curl = curl(proxy, url);
            curl.args(["--proxy-anyauth", "--proxy-user", "me:secret"]);
            curl
        });
    }
}

/// An unrecognised protocol within a tunnel is counted in turns.
#[test]
fn unrecognised_protocol_through_a_tunnel_is_counted_in_turns() {
    let target = Peer::echo().address;
    let talk = move |client: TcpStream| {
        tunnel(client, Refusals(0));
        3
    };
    converse_once(talk, move |mut stream| {
        write!(stream, "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").expect("cannot send");
        read_head(&mut stream).expect("cannot read the proxy's answer");
        for _ in 0..3 {
            send(&mut stream, "hello");
            stream.read_exact(&mut [0; 5]).expect("cannot read the answer");
        }
    })
    .assert_turns(3);
}

/// SOCKS sets up a tunnel with two turns of its own protocol (RFC 1928).
pub(crate) fn socks(mut client: TcpStream) {
    let read = |bytes: usize| {
        let mut buffer = vec![0; bytes];
        (&client).read_exact(&mut buffer).expect("cannot read from the client");
        buffer
    };
    let methods = read(2)[1];
    read(methods.into());
    (&client).write_all(&[5, 0]).expect("cannot send the answer");
    let [5, 1, 0, 1, a, b, c, d, high, low] = read(10)[..] else { panic!("expected a connect to an IPv4 address") };
    let server = connect((([a, b, c, d]), u16::from_be_bytes([high, low])).into());
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).expect("cannot send the answer");
    pass_on(&client, &server);
}

#[test]
fn requests_through_socks_are_counted_right_or_marked() {
    let machine = Machine::shared();
    for (scheme, server) in [("http", ""), ("https", "-tls 1.3")] {
        let server = Server::start(server);
        let proxy = Peer::new(socks);
        let watch = machine.watch(format!("-p {}", proxy.port()));
        let mut curl = program("curl", "curl");
        curl.args(["--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", ""]);
        curl.args(["--socks5", &proxy.address.to_string()]);
        output_of(curl.args(["a", "b", "c"].map(|path| format!("{scheme}://{}/{path}", server.address()))));
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (1, 3), "counts of the server");
        proxy.wait_for(1);
        let report = watch.end();
        let close = report.only("close");
        assert!(close["exchanges"] == 3 || close["exact"] == false, "{close:#}");
    }
}

/// Without a tunnel, the client sends its requests to the proxy itself.
#[test]
fn requests_to_a_proxy_without_a_tunnel_are_exact() {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let machine = Machine::shared();
    let proxy = Peer::new(|mut stream| {
        REQUESTS.fetch_add(serve(&mut stream), SeqCst);
    });
    let watch = machine.watch(format!("-p {}", proxy.port()));
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--noproxy", "", "--proxy", &format!("http://{}", proxy.address)]);
    curl.args(["http://192.0.2.1/a", "http://192.0.2.2/b", "http://192.0.2.1/c"]);
    output_of(&mut curl);
    proxy.wait_for(1);
    assert_eq!(REQUESTS.load(SeqCst), 3, "counts of the proxy");
    let report = watch.end();
    report.assert_complete();
    assert_fields(report.only("close"), &json!({ "exchanges": 3, "exact": true, "protocol": "plain" }));
}
