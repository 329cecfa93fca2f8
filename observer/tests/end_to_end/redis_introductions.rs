//! Redis clients that introduce themselves on each connection. The introduction is set-up and no exchange. The server
//! counts each command.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
};

use serde_json::json;

use crate::{
    redis::Redis,
    support::{http::send, machine::Machine, programs::output_of, python::python},
};

/// Asserts that the tool counts this many connections, and as many exchanges as Redis counted GETs.
fn watched(connections: u64, client: impl FnOnce(u16)) {
    let machine = Machine::shared();
    let redis = Redis::start();
    let watch = machine.watch(format!("-p {}", redis.port));
    client(redis.port);
    let truth = redis.truth();
    assert_eq!(truth.connections, connections, "counts of Redis");
    assert!(truth.commands > truth.gets && truth.gets > 0, "expected an introduction and GETs: {truth:?}");
    let report = watch.end();
    report.assert_recognised("redis");
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "exchanges": truth.gets }));
    report.assert_totals(&json!({ "new": connections, "reused": truth.gets - connections, "unused": 0 }));
}

fn command(words: &[&str]) -> String {
    let strings: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{}", words.len(), strings.concat())
}

/// The introduction of current drivers. Redis supports SETINFO since 7.2, and answers with an error before that.
fn introduction() -> [String; 4] {
    let library = |what, value| command(&["CLIENT", "SETINFO", what, value]);
    [
        command(&["HELLO", "2", "SETNAME", "shop"]),
        library("LIB-NAME", "redis-py"),
        library("LIB-VER", "5.2.1"),
        command(&["SELECT", "1"]),
    ]
}

/// Sends these commands in one send, and reads their answers.
fn ask(stream: &mut BufReader<TcpStream>, commands: &[String]) {
    send(stream.get_mut(), commands.concat());
    (0..commands.len()).for_each(|_| skip_answer(stream));
}

fn skip_answer(stream: &mut BufReader<TcpStream>) {
    let mut line = String::new();
    stream.read_line(&mut line).expect("cannot read the answer");
    if let Some(answers) = line.strip_prefix('*').and_then(|count| count.trim_end().parse::<u64>().ok()) {
        (0..answers).for_each(|_| skip_answer(stream));
    } else if line.starts_with('$') && !line.starts_with("$-1") {
        stream.read_line(&mut line).expect("cannot read the answer");
    }
}

fn connect(port: u16) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(("127.0.0.1", port)).expect("cannot connect to Redis"))
}

#[test]
fn introduction_in_several_turns_is_no_exchange() {
    watched(6, |port| {
        for times in 1..=6 {
            let mut stream = connect(port);
            for command in introduction() {
                ask(&mut stream, &[command]);
            }
            (0..times).for_each(|_| ask(&mut stream, &[command(&["GET", "page"])]));
        }
    });
}

#[test]
fn introduction_in_one_send_is_no_exchange() {
    watched(6, |port| {
        for times in 1..=6 {
            let mut stream = connect(port);
            ask(&mut stream, &introduction());
            (0..times).for_each(|_| ask(&mut stream, &[command(&["GET", "page"])]));
        }
    });
}

/// redis-py sets a name and a database, and then sends one command.
#[test]
fn redis_py_introduction_is_no_exchange() {
    watched(12, |port| {
        output_of(python("redis_client.py").args([&port.to_string(), "12"]));
    });
}
