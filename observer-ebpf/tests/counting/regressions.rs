//! Conversations that were once counted wrong without a mark, each as small as possible.

use tcp_reuse_watch_ebpf::{Application, Protocol};

use crate::{
    buffers::Sight,
    observed::Observed,
    wire::{
        http1::{CONTINUE, SWITCHING},
        inexact, mysql, postgresql, redis,
        tls::{self, Cipher},
    },
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// A connection with one message at a time, each in one piece.
impl Observed {
    fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.sending(&[bytes.as_ref()], Sight::Seen);
        self.send_unseen(bytes)
    }

    /// Sends while the hook is skipped.
    fn send_unseen(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.written += bytes.as_ref().len() as u64;
        self
    }

    fn send_hidden(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.sending(&[bytes.as_ref()], Sight::Faulting);
        self.send_unseen(bytes)
    }

    fn answer(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.answer_in_segments(&[bytes.as_ref()])
    }

    /// Reads in one system call. The hook runs after each segment.
    fn answer_in_segments(&mut self, segments: &[&[u8]]) -> &mut Self {
        let mut buffer = vec![0; 4096];
        let mut filled = 0;
        self.received += segments.concat().len() as u64;
        for segment in segments {
            buffer[filled..filled + segment.len()].copy_from_slice(segment);
            filled += segment.len();
            self.consumed += segment.len() as u64;
            self.received(Some(&buffer));
        }
        self
    }

    /// Reads while the hook is skipped.
    fn answer_unseen(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.received += bytes.as_ref().len() as u64;
        self.consumed = self.received;
        self
    }

    /// The conversation had this many exchanges, and the count is right or marked.
    #[track_caller]
    fn assert_honest(&mut self, exchanges: u64) {
        self.close();
        assert!(self.is_marked() || self.exchanges == exchanges, "{} for {exchanges}, unmarked", self.exchanges);
    }

    /// The same, and the count is unmarked.
    #[track_caller]
    fn assert_exact(&mut self, exchanges: u64) {
        self.close();
        assert_eq!((self.exchanges, self.exact), (exchanges, true));
    }
}

#[test]
fn partly_unseen_pipelining_is_marked() {
    Observed::new().send(GET).send_unseen(GET).answer(OK).answer(OK).assert_honest(2);
    Observed::new().send(GET).answer(OK).send_unseen(GET).send(GET).answer(OK).answer(OK).assert_honest(3);
    let get = redis::command(&[b"GET", b"page"]);
    let answer = b"$1\r\n1\r\n";
    Observed::new().send(&get).send_unseen(&get).answer(answer).answer(answer).assert_honest(2);
    let (get, end) = (b"get page\r\n", b"END\r\n");
    Observed::new().send(get).answer(end).send(get).send_unseen(get).answer(end).answer(end).assert_honest(3);
    Observed::new().send(get).answer(end).send(get).send_hidden(get).answer(end).answer(end).assert_honest(3);
}

#[test]
fn pipelining_before_recognition_is_marked() {
    let purge = b"PURGE http://example.org/page HTTP/1.1\r\n\r\n".as_slice();
    Observed::new().send(purge).send(GET).answer(OK).answer(OK).assert_honest(2);
    Observed::new().send([purge, GET].concat()).answer(OK).answer(OK).assert_honest(2);
    let get = b"get page\r\n";
    Observed::new().send(get).send(get).answer(b"END\r\n").answer(b"END\r\n").assert_honest(2);
    let ping = mysql::command(mysql::PING, b"");
    Observed::resumed(9, 9).send(&ping).send(&ping).answer(mysql::ok(1)).answer(mysql::ok(1)).assert_honest(2);
    Observed::resumed(9, 9).send(&ping).send_hidden(&ping).answer(mysql::ok(1)).answer(mysql::ok(1)).assert_honest(2);
}

#[test]
fn unseen_rest_of_a_body_after_an_early_answer_is_no_request() {
    let head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
    let mut observed = Observed::new();
    observed
        .send(head)
        .send(b"abc")
        .answer(b"HTTP/1.1 413 Too large\r\n")
        .send_unseen(b"def")
        .send(b"ghi")
        .answer(b"\r\n");
    observed.assert_honest(1);
}

/// Neither the body's end nor the rest of the answer was seen. What the next send finds is no request.
#[test]
fn unseen_end_of_a_body_after_an_early_answer_is_no_request() {
    let head = b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\n";
    let mut observed = Observed::new();
    observed.send(head).answer(b"HTTP/1.1 413 Too large\r\n").send(b"abc").send_unseen(b"def").answer_unseen(b"\r\n");
    observed.send(GET).answer(OK).assert_honest(2);
}

#[test]
fn unseen_request_may_have_had_expect() {
    let head = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let mut observed = Observed::new();
    observed.send(GET).answer(OK).send_unseen(head).answer(CONTINUE).send_unseen(b"abc").answer(OK);
    observed.assert_honest(2);
}

#[test]
fn segments_of_one_read_are_distinguished_or_marked() {
    let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n".as_slice();
    let known = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".as_slice();
    for (head, body) in [(chunked, b"3\r\nabc\r\n0\r\n\r\n".as_slice()), (known, b"abc")] {
        Observed::new().send(head).send(body).answer_in_segments(&[CONTINUE, OK]).assert_honest(1);
        Observed::new()
            .send(head)
            .answer_in_segments(&[&CONTINUE[..13], &CONTINUE[13..]])
            .send(body)
            .answer(OK)
            .assert_honest(1);
        let (begin, rest) = CONTINUE.split_at(14);
        Observed::new().send(head).send(body).answer_in_segments(&[begin, rest, OK]).assert_honest(1);
    }
}

#[test]
fn request_like_chunk_after_an_early_answer_is_marked() {
    let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut observed = Observed::new();
    observed.send(head).send(b"12\r\n").answer(b"HTTP/1.1 413 Too large\r\n");
    observed.send(b"GET /page HTTP/1.1").send(b"\r\n0\r\n\r\n").answer(b"\r\n").assert_honest(1);
    // If the last chunk was seen, the next send is a request.
    let whole = [head.as_slice(), b"1\r\na\r\n0\r\n\r\n"].concat();
    Observed::new().send(&whole).answer(OK).send(GET).answer(OK).assert_exact(2);
    Observed::new().send(head).send(b"1\r\na\r\n").send(b"0\r\n\r\n").answer(OK).send(GET).answer(OK).assert_exact(2);
}

/// BoringSSL, NSS and rustls send certificate, verification and Finished in one record.
#[test]
fn certificate_and_finished_may_share_a_record() {
    let cipher = Cipher::Tls13;
    let [hello, flight] = [tls::hello(&[b"http/1.1"], true), cipher.data(1100)];
    let (request, answer) = (cipher.data(90), cipher.answer(300));
    let mut observed = Observed::new();
    observed.send(&hello).answer([9; 2000]).send(&flight);
    observed.send(&request).answer(&answer).send(&request).answer(&answer).assert_honest(2);
    assert!(observed.has_asked && observed.is_marked(), "it may have been part of the handshake");
    // If the server's tickets are read first, nothing is ambiguous.
    let mut observed = Observed::new();
    observed.send(&hello).answer([9; 2000]).send(&flight).answer(cipher.answer(200));
    observed.send(&request).answer(&answer).send(&request).answer(&answer).assert_exact(2);
    // In the same send, a request looks like a certificate in two records.
    let mut observed = Observed::new();
    observed.send(&hello).answer([9; 2000]).send([flight, request].concat()).answer(&answer).close();
    observed.assert_honest(1);
}

#[test]
fn last_chunk_may_come_in_pieces() {
    let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
    let pieces: [&[&[u8]]; 4] = [
        &[head, b"1\r\na\r\n", b"0\r\n", b"\r\n"],
        &[head, b"1\r\na\r\n0\r\n", b"\r\n"],
        &[head, b"1\r\na\r\n", b"0\r\nExpires: never\r\n\r\n"],
        &[&[head, b"1\r\na\r\n0\r\n"].concat(), b"\r\n"],
    ];
    for sends in pieces {
        let mut observed = Observed::new();
        for _ in 0..2 {
            for send in sends {
                observed.send(send);
            }
            observed.answer(OK);
        }
        observed.assert_exact(2);
    }
}

#[test]
fn unsent_body_hides_no_request() {
    let head = b"POST / HTTP/1.1\r\nContent-Length: 300\r\nExpect: 100-continue\r\n\r\n";
    let refused = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n";
    Observed::new().send(head).answer(refused).send(GET).answer(OK).assert_honest(2);
    Observed::new().send(head).answer(refused).send([b'x'; 300]).answer(OK).assert_honest(1);
}

#[test]
fn keystroke_in_an_attached_container_is_no_request() {
    let attach = b"POST /containers/a/attach HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    Observed::new().send(attach).answer(OK).send(b"A").answer(b"A").assert_honest(1);
}

#[test]
fn request_like_bytes_after_http_has_ended_are_marked() {
    let mut observed = Observed::new();
    observed.send(GET).answer(OK).send(b"it is typed").send(GET).answer(b"what?").assert_honest(1);
}

#[test]
fn empty_line_at_the_end_of_a_chunk_does_not_end_the_body() {
    let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\r\n\r\n";
    let mut observed = Observed::new();
    observed
        .send(head)
        .answer(b"HTTP/1.1 413 Too large\r\n")
        .send(b"GET / HTTP/1.1\r\n")
        .answer(b"\r\n")
        .assert_honest(1);
    let mut observed = Observed::new();
    observed.send(head).send(b"1\r\na\r\n0\r\n\r\n").answer(OK).send(GET).answer(OK).assert_exact(2);
}

#[test]
fn awaited_body_may_look_like_a_request() {
    let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    let mut observed = Observed::new();
    observed.send(head).answer(CONTINUE).send(b"10\r\n").send(b"GET / HTTP/1.1\r\n").send(b"\r\n0\r\n\r\n");
    observed.answer(OK).assert_exact(1);
}

#[test]
fn upgrade_to_http2_is_recognised() {
    let mut observed = Observed::new();
    observed.send(b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n").answer(SWITCHING).send(inexact::preface());
    observed.send(inexact::headers(3)).answer(inexact::headers(3));
    assert!(observed.is_marked() && observed.is(Protocol::Http2));
}

#[test]
fn tunnel_with_unseen_first_bytes_is_no_exchange() {
    let connect = b"CONNECT a:1 HTTP/1.1\r\n\r\n";
    let mut observed = Observed::new();
    observed.send_unseen(&connect[..1]).send(&connect[1..]).answer(OK).send(GET).answer(OK).assert_honest(1);
}

fn logged_in() -> Observed {
    let mut observed = Observed::new();
    observed.send(postgresql::startup()).answer(postgresql::ready());
    observed
}

#[test]
fn prepared_statement_is_no_exchange() {
    for bytes in [10, 2100, 9000] {
        let parse = postgresql::parse(b"s1", &vec![b'x'; bytes]);
        let prepare = [parse.clone(), postgresql::describe(b"s1"), postgresql::sync()].concat();
        logged_in().send(&prepare).answer(postgresql::ready()).assert_exact(0);
        for cut in [1, 3, 9, parse.len() - 1, parse.len() + 3] {
            logged_in().send(&prepare[..cut]).send(&prepare[cut..]).answer(postgresql::ready()).assert_honest(0);
        }
        let execute = [parse, postgresql::bind(b"", b"1"), postgresql::execute(), postgresql::sync()].concat();
        logged_in().send(execute).answer(postgresql::ready()).assert_exact(1);
    }
}

#[test]
fn batches_after_a_large_one_are_recognised() {
    let one = [postgresql::bind(b"", &[b'x'; 3000]), postgresql::execute(), postgresql::sync()].concat();
    for cut in [9, 100, 2900] {
        let mut observed = logged_in();
        observed.send(&one[..cut]).send(&one[cut..]).send(&one).answer(postgresql::ready()).answer(postgresql::ready());
        observed.assert_honest(2);
    }
    let many = [postgresql::bind(b"", b"1"), postgresql::execute()].concat().repeat(20);
    let many = [many, postgresql::sync()].concat();
    logged_in().send(&many).send(&many).answer(postgresql::ready()).answer(postgresql::ready()).assert_honest(2);
    logged_in().send(&many).answer(postgresql::ready()).assert_exact(1);
}

#[test]
fn notice_does_not_end_an_upload() {
    let data = [postgresql::message(b'd', b"Quick brown fox\n").repeat(9), postgresql::message(b'c', b"")].concat();
    for cut in [1, 5, 6, 30] {
        let mut observed = logged_in();
        observed.send(postgresql::query(b"COPY t FROM STDIN")).answer(postgresql::message(b'G', &[0; 3]));
        observed.send(&data[..cut]).answer(postgresql::message(b'N', b"a notice\0")).send(&data[cut..]);
        observed.answer(postgresql::ready()).assert_honest(1);
    }
}

/// GSS was not refused, so encrypted packets follow.
#[test]
fn postgresql_inside_gss_is_marked() {
    let packet = [&[0, 0, 0, 60][..], &[0xe7; 60]].concat();
    let mut observed = Observed::new();
    observed.send(postgresql::gss_request()).answer(b"G");
    observed.send(&packet).answer(&packet).send(&packet).answer(&packet);
    assert!(observed.is_marked());
}

#[test]
fn mysql_packet_is_not_taken_for_a_tls_hello() {
    let mut observed = Observed::new();
    observed.answer(mysql::greeting()).send(mysql::login(0)).answer(mysql::ok(2));
    observed.send(mysql::command(mysql::QUERY, b"LOAD DATA LOCAL INFILE 'x'")).answer(mysql::packet(1, b"\xfbx"));
    // A packet of 790 bytes.
    observed.send(mysql::packet(2, &[&[0, 1], [7; 788].as_slice()].concat())).send(mysql::packet(3, b""));
    observed.answer(mysql::ok(4)).assert_exact(1);
}

#[test]
fn set_statement_in_pieces_is_marked() {
    let set = mysql::command(mysql::QUERY, b"SET NAMES utf8mb4");
    for cut in [1, 4, 5, 8] {
        let mut observed = Observed::new();
        observed.answer(mysql::greeting()).send(mysql::login(0)).answer(mysql::ok(2));
        observed.send(&set[..cut]).send(&set[cut..]).answer(mysql::ok(1)).assert_honest(0);
    }
}

#[test]
fn login_with_a_long_token_is_no_exchange() {
    for bytes in [999, 1000, 1900, 3000, 12_000] {
        let auth = redis::command(&[b"AUTH", b"me", &vec![b'x'; bytes]]);
        Observed::new().send(&auth).answer(b"+OK\r\n").assert_honest(0);
        Observed::new().send(&auth[..90]).send(&auth[90..]).answer(b"+OK\r\n").assert_honest(0);
    }
    // Cut between its words.
    let auth = redis::command(&[b"AUTH", b"me", b"you"]);
    Observed::new().send(&auth[..22]).send(&auth[22..]).answer(b"+OK\r\n").assert_honest(0);
    let name = redis::command(&[b"CLIENT", b"SETNAME", b"web"]);
    Observed::new().send(name.repeat(20)).answer(b"+OK\r\n".repeat(20)).assert_honest(0);
}

#[test]
fn earlier_answer_does_not_answer_an_unseen_command() {
    let get = redis::command(&[b"GET", b"page"]);
    let mut observed = Observed::new();
    observed.send(&get).answer(b"$1").answer_unseen(b"\r\n1\r\n").send_unseen(&get[..1]).send(&get[1..]);
    observed.answer(b"$1\r\n1\r\n").assert_honest(2);
}

#[test]
fn mysql_behind_a_proxy_header_is_recognised() {
    let mut observed = Observed::new();
    observed.send(b"PROXY TCP4 10.0.0.1 10.0.0.2 56324 3306\r\n").answer(mysql::greeting());
    observed.send(mysql::login(0)).answer(mysql::ok(2));
    observed.send(mysql::command(mysql::PING, b"")).answer(mysql::ok(1)).assert_exact(1);
    assert_eq!(observed.application(), Application::Mysql);
}

/// Java pads its records, its server may not. An answer of 41 bytes is as long as a padded `100 Continue`.
#[test]
fn short_answer_to_java_hides_no_request() {
    let mut observed = Observed::new();
    observed.send(tls::hello(&[b"http/1.1"], true)).answer([22; 2000]);
    observed.send(tls::record(tls::CHANGE_CIPHER_SPEC, &[1])).send(tls::record(tls::DATA, &[0; 53]));
    let (ask, answer) = (Cipher::Java13.data(90), Cipher::Java13.answer(41));
    observed.send(&ask).answer(&answer).send(&ask).answer(&answer).assert_honest(2);
}

/// Only an answer could identify it as HTTP.
#[test]
fn unanswered_request_with_a_rare_method_is_marked() {
    let mut observed = Observed::new();
    observed.send(b"PURGE http://example.org/page HTTP/1.1\r\n\r\n").close();
    assert!(observed.is_marked() && observed.exchanges == 1);
}

#[test]
fn hello_like_value_stays_a_value() {
    let value = tls::hello(&[], true);
    let set = redis::command(&[b"SET", b"page", &value]);
    let begin = set.len() - value.len() - 2;
    let mut observed = Observed::new();
    observed.send(&set[..begin]).send(&set[begin..]).answer(b"+OK\r\n").assert_exact(1);
    assert_eq!(observed.application(), Application::Redis);
}

/// The next update makes up for it, and the protocol is known, so nothing is in doubt.
#[test]
fn plain_request_with_a_skipped_hook_stays_exact() {
    let get = redis::command(&[b"GET", b"page"]);
    let plain: [(&[u8], &[u8]); 3] = [(GET, OK), (&get, b"$1\r\n1\r\n"), (b"get page\r\n", b"END\r\n")];
    for (ask, answer) in plain {
        let mut observed = Observed::new();
        for _ in 0..3 {
            observed.send(ask).answer(answer).send_unseen(ask).answer(answer).send(ask).answer_unseen(answer);
        }
        observed.assert_exact(9);
        assert!(Protocol::Plain as u8 == observed.conversation.protocol);
    }
}

/// A login that is cut inside its command's name, or followed by something, is not set-up as a whole.
#[test]
fn command_after_a_login_is_counted() {
    let commands = [redis::command(&[b"HELLO", b"3"]), redis::command(&[b"GET", b"page"])].concat();
    Observed::new().send(&commands).answer(b"%0\r\n$1\r\n1\r\n").assert_exact(1);
    let queries = [postgresql::query(b"SET a = 1"), postgresql::query(b"select 1")].concat();
    logged_in().send(queries).answer(postgresql::ready()).assert_exact(1);
    let queries = [postgresql::sync(), postgresql::query(b"select 1")].concat();
    logged_in().send(queries).answer(postgresql::ready()).assert_exact(1);
}

/// The kernel side still holds the prefix of an earlier message.
#[test]
fn query_with_separate_text_is_no_set_statement() {
    let (set, query) = (postgresql::query(b"SET a = 1"), postgresql::query(b"SELECT 1"));
    let mut observed = logged_in();
    observed.send(set).answer(postgresql::ready()).send(&query[..5]).send(&query[5..]).answer(postgresql::ready());
    observed.assert_honest(1);
}
