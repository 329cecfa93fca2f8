//! A connection for each unit of work, including units that begin with a login, and patterns that only look like it.

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
        http::send,
        machine::Machine,
        peer::Peer,
        programs::{output_of, program},
        python::python,
        report::Report,
    },
};

/// Asserts that the only diagnosis has this cause and confidence, and that its evidence contains these words.
#[track_caller]
fn assert_evidence(report: &Report, cause: &str, confidence: &str, words: &str) {
    let diagnosis = assert_diagnosed(report, &json!({ "cause": cause, "confidence": confidence, "healthy": false }));
    let evidence = diagnosis["evidence"].as_str().expect("a sentence");
    assert!(evidence.contains(words), "expected {words:?} in {diagnosis:#}");
}

const CLOSED: &str = "closed-after-response";
const PROCESSES: &str = "process-per-request";

fn numbers<const N: usize>(numbers: [u64; N]) -> [String; N] {
    numbers.map(|n| n.to_string())
}

#[test]
fn three_queries_per_connection_by_pymysql() {
    let (machine, mariadb) = (Machine::shared(), MariaDb::start());
    let watch = machine.watch(format!("-p {}", mariadb.port));
    output_of(python("mysql_client.py").args(numbers([mariadb.port.into(), 8, 3])));
    assert_eq!(mariadb.logged(), (8, 24), "counts in the log of MariaDB");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 8, "exchanges": 24 }));
    assert_evidence(&report, CLOSED, "possible", "after 3 exchanges");
}

#[test]
fn process_per_two_mysql_queries() {
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
    assert_eq!(mariadb.logged(), (6, 12), "counts in the log of MariaDB");
    assert_evidence(&watch.end(), PROCESSES, "likely", "6 processes opened 6 connections, one after the other,");
}

/// Runs Redis clients that send three commands each.
fn redis_tasks(tasks: u64, threads: u64, more: &str) -> Report {
    let machine = Machine::shared();
    let redis = Redis::start();
    let watch = machine.watch(format!("-p {}", redis.port));
    let mut client = python("redis_tasks.py");
    output_of(client.args(numbers([redis.port.into(), tasks, threads, 3])).args(more.split_whitespace()));
    assert_eq!(redis.truth().connections, tasks, "counts of Redis");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": tasks, "exchanges": 3 * tasks }));
    report
}

#[test]
fn three_redis_commands_per_connection() {
    assert_evidence(&redis_tasks(12, 1, ""), CLOSED, "possible", "after 3 exchanges");
}

/// While one thread waits between commands, its connection looks idle to the other threads, but no pool holds it.
#[test]
fn three_redis_commands_per_connection_in_four_threads() {
    assert_evidence(&redis_tasks(40, 4, ""), CLOSED, "possible", "after 3 exchanges");
}

#[test]
fn redis_clients_kept_but_not_reused() {
    assert_evidence(&redis_tasks(12, 1, "keep"), "client-per-request", "likely", "not used again after 3 exchanges");
}

#[test]
fn one_rabbitmq_message_per_connection() {
    let rabbit = Rabbit::start();
    assert_evidence(&published(&rabbit, 8, 1), CLOSED, "possible", "turns");
    assert_not_diagnosed(&published(&rabbit, 1, 20));
}

/// Runs a mosquitto client this many times.
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
fn process_per_confirmed_mqtt_message() {
    assert_evidence(&mosquitto_processes(6, "-q 1"), PROCESSES, "likely", "for ≈6 exchanges");
    assert_evidence(&mosquitto_processes(6, "-q 2"), PROCESSES, "likely", "after ≈2 turns");
}

/// QoS 0 has no answer, and so no exchange.
#[test]
fn process_per_unconfirmed_mqtt_message() {
    assert_evidence(&mosquitto_processes(6, "-q 0"), PROCESSES, "likely", "to log in and send what needs no answer");
}

/// Waits for five messages, with a time limit.
fn subscribe(port: u16) {
    let mut subscribe = program("mosquitto_sub", "mosquitto-clients");
    subscribe.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", "jobs", "-q", "1", "-C", "5", "-W", "15"]);
    output_of(&mut subscribe);
}

/// All subscribers exit together, right after the last message.
#[test]
fn long_lived_subscribers_are_not_diagnosed() {
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
fn process_per_ldap_search() {
    assert_evidence(&ldap::searched(6, &[]), PROCESSES, "likely", "6 processes opened 6 connections");
}

#[test]
fn process_per_ssh_command() {
    assert_evidence(&ssh::commands(6), PROCESSES, "likely", "turns");
}

/// Accepts mails, and closes after QUIT.
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

/// The server's FIN often arrives before the client's, because the client asked the server to close.
#[test]
fn one_mail_per_connection() {
    let machine = Machine::shared();
    let server = Peer::new(mail_server);
    let watch = machine.watch(format!("-p {}", server.port()));
    output_of(python("smtp_client.py").args(numbers([server.port().into(), 8])));
    server.wait_for(8);
    let report = watch.end();
    report.assert_marked("plain", Some("smtp"));
    assert_evidence(&report, CLOSED, "possible", "turns");
}

/// The last line of a client, after which the server answers and closes.
const BYE: &str = "bye\n";

fn greets_and_answers(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"welcome\n").expect("cannot send the greeting");
    let mut line = String::new();
    while matches!(stream.read_line(&mut line), Ok(1..)) {
        if stream.get_mut().write_all(b"ok\n").is_err() || line == BYE {
            return;
        }
        line.clear();
    }
}

/// Makes this many connections in an unrecognised protocol, and sends these lines on each.
fn unrecognised(times: u64, lines: &[&str]) -> Report {
    let machine = Machine::shared();
    let peer = Peer::new(greets_and_answers);
    let watch = machine.watch(format!("-p {}", peer.port()));
    for _ in 0..times {
        let mut stream = BufReader::new(peer.connect());
        let mut answer = String::new();
        stream.read_line(&mut answer).expect("cannot read the greeting");
        for line in lines {
            send(stream.get_mut(), line);
            stream.read_line(&mut answer).expect("cannot read the answer");
        }
        if lines.last() == Some(&BYE) {
            assert_eq!(stream.read(&mut [0]).expect("cannot read to the peer's FIN"), 0);
        }
    }
    peer.wait_for(times);
    let report = watch.end();
    report.assert_marked("plain", None);
    report
}

#[test]
fn unrecognised_login_and_question_per_connection() {
    assert_evidence(&unrecognised(8, &["user\n", "password\n", "what?\n"]), CLOSED, "possible", "≈");
    let report = unrecognised(8, &["user\n", "password\n", "what?\n", BYE]);
    assert_evidence(&report, "server-closes-each", "possible", "turns");
}

/// HTTP sessions, each with a connection of its own.
fn sessions(arguments: &str) -> impl FnOnce(&str) -> Command {
    move |url| {
        let mut client = python("sessions.py");
        client.arg(url).args(arguments.split_whitespace());
        client
    }
}

#[test]
fn session_per_three_http_requests() {
    assert_evidence(&watched("", (8, 24), sessions("in-turn 8 3 0")), CLOSED, "possible", "after 3 exchanges");
}

#[test]
fn session_per_thread_is_not_diagnosed() {
    assert_not_diagnosed(&watched("", (8, 40), sessions("threads 8 5 0.02")));
}

#[test]
fn session_per_worker_process_is_not_diagnosed() {
    let report = watched("", (6, 30), sessions("processes 6 5 0.02"));
    // RunOutput processes share a group.
    let processes: u64 = report.groups().iter().filter_map(|group| group["processes"].as_u64()).sum();
    assert_eq!((processes, &group(&report)["diagnoses"]), (6, &Value::Array(Vec::new())));
}
