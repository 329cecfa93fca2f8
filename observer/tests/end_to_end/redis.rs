//! Redis and its benchmark: connections that are kept, a connection for each command, and commands in batches. The
//! server counts connections and commands.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::json;

use crate::support::{
    machine::Machine,
    programs::{output_of, program},
    report::{Report, assert_fields},
    service::{self, Service},
    sockets::Closed,
};

pub(crate) struct Redis {
    service: Service,
    pub(crate) port: u16,
    /// A connection that does not count: it is there before the counting begins.
    asking: BufReader<UnixStream>,
}

/// What the server counted.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) connections: u64,
    /// Without those that are asked from here.
    pub(crate) commands: u64,
    /// Of these, what the benchmark asks about the server before it begins: together, in one go.
    settings: u64,
    /// Of these, GET.
    pub(crate) gets: u64,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let (folder, port) = (service::folder(), Closed::new());
        let (number, socket) = (port.address.port(), folder.path().join("socket"));
        let mut redis = program("redis-server", "redis-server");
        redis.args(["--bind", "127.0.0.1", "--port", &number.to_string(), "--save", "", "--unixsocket", "socket"]);
        let service = Service::start(&mut redis, folder, [port]);
        let asking = UnixStream::connect(socket).expect("Redis listens");
        asking.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
        let mut redis = Self { service, port: number, asking: BufReader::new(asking) };
        assert_eq!(redis.ask("CONFIG RESETSTAT"), "+OK");
        redis
    }

    /// The first line of the answer.
    fn ask(&mut self, command: &str) -> String {
        self.asking.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("Redis takes it");
        let mut line = String::new();
        self.asking.read_line(&mut line).expect("Redis answers");
        line.trim_end().to_owned()
    }

    fn info(&mut self) -> String {
        let length = self.ask("INFO everything");
        let length = length.strip_prefix('$').and_then(|length| length.parse().ok()).expect("a length");
        let mut text = vec![0; length];
        self.asking.read_exact(&mut text).expect("Redis answers");
        String::from_utf8(text).expect("the answer is UTF-8")
    }

    pub(crate) fn truth(mut self) -> Truth {
        self.service.wait_for_closes(self.port);
        let info = self.info();
        let number = |name: &str| {
            let rest = info.lines().find_map(|line| line.strip_prefix(name))?;
            Some(rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().expect("a number"))
        };
        let reset = number("cmdstat_config|resetstat:calls=").expect("it was asked");
        Truth {
            connections: number("total_connections_received:").expect("it is counted"),
            commands: number("total_commands_processed:").expect("it is counted") - reset,
            settings: number("cmdstat_config|get:calls=").unwrap_or(0),
            gets: number("cmdstat_get:calls=").unwrap_or(0),
        }
    }
}

/// The client speaks first: nothing is set-up.
#[test]
fn one_client_reuses_its_connection() {
    let machine = Machine::shared();
    let redis = Redis::start();
    let watch = machine.watch(format!("-p {}", redis.port));
    let mut client = program("redis-cli", "redis-tools");
    output_of(client.args(["-p", &redis.port.to_string(), "-r", "10", "INCR", "asked"]));
    let truth = redis.truth();
    assert_eq!((truth.connections, truth.commands), (1, 10), "{truth:?}");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 10, "new": 1, "reused": 9 }));
    assert_fields(report.only("close"), &json!({ "process": "redis-cli", "protocol": "plain", "exact": true }));
}

/// Watches the benchmark: at least 1,000 times each of two commands, by ten clients.
fn benched(options: &str) -> (Report, Truth) {
    let machine = Machine::shared();
    let redis = Redis::start();
    let watch = machine.watch(format!("-p {}", redis.port));
    let mut benchmark = program("redis-benchmark", "redis-tools");
    benchmark.args(["-q", "-n", "1000", "-c", "10", "-t", "ping_mbulk,get", "-p", &redis.port.to_string()]);
    output_of(benchmark.args(options.split_whitespace()));
    let truth = redis.truth();
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": truth.connections, "closed": truth.connections, "failed": 0 }));
    let [group] = report.groups() else { panic!("one group was expected: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": "redis-benchmark"[..15], "processes": 1 }));
    assert_fields(group, &json!({ "application": "redis" }));
    for close in report.of_type("close").iter().filter(|row| row["sent_bytes"] != 0) {
        assert_fields(close, &json!({ "protocol": "plain", "application": "redis", "exact": true }));
    }
    (report, truth)
}

/// The settings are asked for in one go.
fn assert_each_command(options: &str) -> Report {
    let (report, truth) = benched(options);
    assert_eq!((truth.commands, truth.settings), (2002, 2), "{truth:?}");
    report.assert_totals(&json!({ "exchanges": truth.commands - 1 }));
    report
}

#[test]
fn connections_that_are_kept() {
    let report = assert_each_command("-k 1");
    // One that asks for the settings, and ten clients for each of two commands.
    report.assert_totals(&json!({ "opened": 21, "new": 21, "reused": 1980, "unused": 0 }));
}

#[test]
fn a_connection_for_each_command() {
    let report = assert_each_command("-k 0");
    report.assert_totals(&json!({ "new": 2001, "reused": 0 }));
}

/// Commands that are sent together are answered together: what is counted are the round trips.
#[test]
fn commands_in_batches_are_an_exchange_each_batch() {
    let (report, truth) = benched("-k 1 -P 16");
    let benchmarked = truth.commands - truth.settings;
    assert!(benchmarked >= 2000 && benchmarked % 16 == 0, "{truth:?}");
    report.assert_totals(&json!({ "exchanges": benchmarked / 16 + 1, "new": truth.connections, "unused": 0 }));
}
