//! Clients of Redis that introduce themselves on each connection: that asks nothing. The server counts each command.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
};

use serde_json::json;

use crate::{
    redis::Redis,
    support::{http::send, machine::Machine, programs::output_of, python::python},
};

/// As many connections as this says, and exchanges as GETs.
fn watched(connections: u64, client: impl FnOnce(u16)) {
    let machine = Machine::shared();
    let redis = Redis::start();
    let watch = machine.watch(format!("-p {}", redis.port));
    client(redis.port);
    let truth = redis.truth();
    assert_eq!(truth.connections, connections, "what Redis counted");
    assert!(truth.commands > truth.gets && truth.gets > 0, "an introduction, and more: {truth:?}");
    let report = watch.end();
    report.assert_recognised("redis");
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "exchanges": truth.gets }));
    report.assert_totals(&json!({ "new": connections, "reused": truth.gets - connections, "unused": 0 }));
}

fn command(words: &[&str]) -> String {
    let strings: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{}", words.len(), strings.concat())
}

/// What drivers of today say first. (Redis knows SETINFO since 7.2, and answers with an error before.)
fn introduction() -> [String; 4] {
    let library = |what, value| command(&["CLIENT", "SETINFO", what, value]);
    [
        command(&["HELLO", "2", "SETNAME", "shop"]),
        library("LIB-NAME", "redis-py"),
        library("LIB-VER", "5.2.1"),
        command(&["SELECT", "1"]),
    ]
}

/// Sends these commands at once, and reads their answers.
fn ask(stream: &mut BufReader<TcpStream>, commands: &[String]) {
    send(stream.get_mut(), commands.concat());
    (0..commands.len()).for_each(|_| skip_answer(stream));
}

fn skip_answer(stream: &mut BufReader<TcpStream>) {
    let mut line = String::new();
    stream.read_line(&mut line).expect("Redis answers");
    if let Some(answers) = line.strip_prefix('*').and_then(|count| count.trim_end().parse::<u64>().ok()) {
        (0..answers).for_each(|_| skip_answer(stream));
    } else if line.starts_with('$') && !line.starts_with("$-1") {
        stream.read_line(&mut line).expect("Redis answers");
    }
}

fn connect(port: u16) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(("127.0.0.1", port)).expect("Redis listens"))
}

#[test]
fn each_in_a_turn() {
    watched(6, |port| {
        for times in 1..=6 {
            let mut stream = connect(port);
            for said in introduction() {
                ask(&mut stream, &[said]);
            }
            (0..times).for_each(|_| ask(&mut stream, &[command(&["GET", "page"])]));
        }
    });
}

#[test]
fn all_in_one_send() {
    watched(6, |port| {
        for times in 1..=6 {
            let mut stream = connect(port);
            ask(&mut stream, &introduction());
            (0..times).for_each(|_| ask(&mut stream, &[command(&["GET", "page"])]));
        }
    });
}

/// A name and a database, and then one question.
#[test]
fn a_connection_for_each_question_by_redis_py() {
    watched(12, |port| {
        output_of(python("redis_client.py").args([&port.to_string(), "12"]));
    });
}
