//! A connection for each unit of work, also where it begins with a login; and what only looks like it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Command,
    thread::{ScopedJoinHandle, scope, sleep},
    time::Duration,
};

use serde_json::{Value, json};

use super::{assert_diagnosed, assert_not_diagnosed, group, watched};
use crate::{
    ldap,
    messaging::{Rabbit, mosquitto, published},
    mysql::MariaDb,
    redis::Redis,
    ssh,
    support::{
        machine::Machine,
        peer::Peer,
        programs::{output_of, program},
        python::python,
        report::Report,
    },
};

/// One diagnosis, whose evidence has these words.
#[track_caller]
fn assert_said(report: &Report, cause: &str, confidence: &str, words: &str) {
    let diagnosis = assert_diagnosed(report, &json!({ "cause": cause, "confidence": confidence, "healthy": false }));
    let evidence = diagnosis["evidence"].as_str().expect("a sentence");
    assert!(evidence.contains(words), "{words:?} was expected in: {diagnosis:#}");
}

const CLOSED: &str = "closed-after-response";
const PROCESSES: &str = "process-per-request";

fn numbers<const N: usize>(numbers: [u64; N]) -> [String; N] {
    numbers.map(|n| n.to_string())
}

#[test]
fn three_queries_by_pymysql() {
    let (machine, mariadb) = (Machine::shared(), MariaDb::start());
    let watch = machine.watch(format!("-p {}", mariadb.port));
    output_of(python("mysql_client.py").args(numbers([mariadb.port.into(), 8, 3])));
    assert_eq!(mariadb.logged(), (8, 24), "what MariaDB logged");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 8, "exchanges": 24 }));
    assert_said(&report, CLOSED, "possible", "after 3 exchanges");
}

#[test]
fn two_queries_by_a_process_each() {
    let (machine, mariadb) = (Machine::shared(), MariaDb::start());
    let watch = machine.watch(format!("-p {}", mariadb.port));
    for _ in 0..6 {
        let mut mysql = program("mysql", "mariadb-client");
        mysql.args([
            "--no-defaults",
            "--host=127.0.0.1",
            "--user=app",
            "--password=secret",
            "--execute=SELECT 1;SELECT 2",
        ]);
        output_of(mysql.arg(format!("--port={}", mariadb.port)));
    }
    assert_eq!(mariadb.logged(), (6, 12), "what MariaDB logged");
    assert_said(&watch.end(), PROCESSES, "likely", "6 processes opened 6 connections, one after the other,");
}

/// Clients of Redis, each with three commands.
fn redis_tasks(tasks: u64, threads: u64, more: &str) -> Report {
    let machine = Machine::shared();
    let redis = Redis::start();
    let watch = machine.watch(format!("-p {}", redis.port));
    let mut client = python("redis_tasks.py");
    output_of(client.args(numbers([redis.port.into(), tasks, threads, 3])).args(more.split_whitespace()));
    assert_eq!(redis.truth().connections, tasks, "what Redis counted");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": tasks, "exchanges": 3 * tasks }));
    report
}

#[test]
fn three_commands_to_redis() {
    assert_said(&redis_tasks(12, 1, ""), CLOSED, "possible", "after 3 exchanges");
}

/// What one has just asked for makes its connection look idle to the others: no pool keeps it.
#[test]
fn three_commands_to_redis_in_four_threads() {
    assert_said(&redis_tasks(40, 4, ""), CLOSED, "possible", "after 3 exchanges");
}

#[test]
fn clients_of_redis_that_are_kept_and_not_used_again() {
    assert_said(&redis_tasks(12, 1, "keep"), "client-per-request", "likely", "not used again after 3 exchanges");
}

#[test]
fn a_message_to_rabbitmq() {
    let rabbit = Rabbit::start();
    assert_said(&published(&rabbit, 8, 1), CLOSED, "possible", "turns");
    assert_not_diagnosed(&published(&rabbit, 1, 20));
}

/// Runs a client of mosquitto's, some times.
fn mosquitto_processes(times: u64, arguments: &str) -> Report {
    let machine = Machine::shared();
    let (mosquitto, port) = mosquitto();
    let watch = machine.watch(format!("-p {port}"));
    (0..times).for_each(|_| drop(output_of(&mut publisher(port, arguments))));
    mosquitto.wait_for_closes(port);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": times, "closed": times }));
    report
}

fn publisher(port: u16, arguments: &str) -> Command {
    let mut publish = program("mosquitto_pub", "mosquitto-clients");
    publish.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", "jobs", "-m", "job"]);
    publish.args(arguments.split_whitespace());
    publish
}

#[test]
fn a_message_by_mqtt_that_is_confirmed() {
    assert_said(&mosquitto_processes(6, "-q 1"), PROCESSES, "likely", "for ≈6 exchanges");
    assert_said(&mosquitto_processes(6, "-q 2"), PROCESSES, "likely", "after ≈2 turns");
}

/// Nobody answers: there is no exchange.
#[test]
fn a_message_by_mqtt_that_is_not_confirmed() {
    assert_said(&mosquitto_processes(6, "-q 0"), PROCESSES, "likely", "to log in and send what needs no answer");
}

/// Waits for five messages, but not forever.
fn subscribe(port: u16) {
    let mut subscribe = program("mosquitto_sub", "mosquitto-clients");
    subscribe.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", "jobs", "-q", "1", "-C", "5", "-W", "15"]);
    output_of(&mut subscribe);
}

/// They end together, right after the last message.
#[test]
fn subscribers_are_no_processes_for_a_request_each() {
    const SUBSCRIBERS: u64 = 6;
    let machine = Machine::shared();
    let (mosquitto, port) = mosquitto();
    let watch = machine.watch(format!("-p {port} --process mosquitto_sub"));
    scope(|scope| {
        let subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| scope.spawn(|| subscribe(port))).collect();
        while !subscribers.iter().all(ScopedJoinHandle::is_finished) {
            sleep(Duration::from_millis(300));
            output_of(&mut publisher(port, "-q 1"));
        }
    });
    mosquitto.wait_for_closes(port);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": SUBSCRIBERS, "closed": SUBSCRIBERS }));
    assert_not_diagnosed(&report);
}

#[test]
fn a_search_by_ldap() {
    assert_said(&ldap::searched(6, &[]), PROCESSES, "likely", "6 processes opened 6 connections");
}

#[test]
fn a_command_by_ssh() {
    assert_said(&ssh::commands(6), PROCESSES, "likely", "turns");
}

/// Takes mails, and closes when the client has said goodbye.
fn mail_server(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let say = |stream: &mut BufReader<TcpStream>, text: &str| stream.get_mut().write_all(text.as_bytes()).is_ok();
    let mut is_mail = false;
    say(&mut stream, "220 mail.example.org\r\n");
    loop {
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line), Ok(1..)) {
            return;
        }
        let answer = match line.trim_end() {
            "." => "250 taken\r\n",
            _ if is_mail => continue,
            "data" => "354 go on\r\n",
            "quit" | "QUIT" => "221 goodbye\r\n",
            _ => "250 well\r\n",
        };
        is_mail = line.trim_end() == "data";
        if !say(&mut stream, answer) || answer.starts_with("221") {
            return;
        }
    }
}

/// The server's FIN often comes before the client's: it was asked to close.
#[test]
fn a_mail_for_each_connection() {
    let machine = Machine::shared();
    let server = Peer::new(mail_server);
    let watch = machine.watch(format!("-p {}", server.port()));
    output_of(python("smtp_client.py").args(numbers([server.port().into(), 8])));
    server.wait_for(8);
    let report = watch.end();
    report.assert_marked("plain", Some("smtp"));
    assert_said(&report, CLOSED, "possible", "turns");
}

/// A greeting, and an answer to each line; after this one it closes.
const BYE: &str = "bye\n";

fn greets_and_answers(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"welcome\n").expect("it can be greeted");
    let mut line = String::new();
    while matches!(stream.read_line(&mut line), Ok(1..)) {
        if stream.get_mut().write_all(b"ok\n").is_err() || line == BYE {
            return;
        }
        line.clear();
    }
}

/// So many connections, on each of which these lines are said.
fn unrecognised(times: u64, lines: &[&str]) -> Report {
    let machine = Machine::shared();
    let peer = Peer::new(greets_and_answers);
    let watch = machine.watch(format!("-p {}", peer.port()));
    for _ in 0..times {
        let mut stream = BufReader::new(peer.connect());
        let mut answer = String::new();
        stream.read_line(&mut answer).expect("it greets");
        for line in lines {
            stream.get_mut().write_all(line.as_bytes()).expect("it can be sent");
            stream.read_line(&mut answer).expect("it is answered");
        }
        if lines.last() == Some(&BYE) {
            assert_eq!(stream.read(&mut [0]).expect("the peer closes in order"), 0);
        }
    }
    peer.wait_for(times);
    let report = watch.end();
    report.assert_marked("plain", None);
    report
}

#[test]
fn a_login_and_a_question_in_an_unknown_protocol() {
    assert_said(&unrecognised(8, &["user\n", "password\n", "what?\n"]), CLOSED, "possible", "≈");
    let report = unrecognised(8, &["user\n", "password\n", "what?\n", BYE]);
    assert_said(&report, "server-closes-each", "possible", "turns");
}

/// Sessions of HTTP, with five or three requests each.
fn sessions(arguments: &str) -> impl FnOnce(&str) -> Command {
    move |url| {
        let mut client = python("sessions.py");
        client.arg(url).args(arguments.split_whitespace());
        client
    }
}

#[test]
fn a_session_of_http_for_each_three_requests() {
    assert_said(&watched("", (8, 24), sessions("in-turn 8 3 0")), CLOSED, "possible", "after 3 exchanges");
}

#[test]
fn a_session_for_each_thread() {
    assert_not_diagnosed(&watched("", (8, 40), sessions("threads 8 5 0.02")));
}

#[test]
fn a_session_for_each_process_of_a_server() {
    let report = watched("", (6, 30), sessions("processes 6 5 0.02"));
    // Those that have ended are one group.
    let processes: u64 = report.groups().iter().filter_map(|group| group["processes"].as_u64()).sum();
    assert_eq!((processes, &group(&report)["diagnoses"]), (6, &Value::Array(Vec::new())));
}
