//! Redis and redis-benchmark: kept connections, one connection for each command, and pipelined commands. The server
//! counts connections and commands.

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
    sockets::ReservedPort,
};

pub(crate) struct Redis {
    service: Service,
    pub(crate) port: u16,
    /// The test's own connection over the Unix socket. It is not counted, because it exists before the statistics are
    /// reset.
    asking: BufReader<UnixStream>,
}

/// The server's counts.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) connections: u64,
    /// Commands, without those of the test itself.
    pub(crate) commands: u64,
    /// The benchmark's queries of the server's settings, which it sends together before it begins. Included in
    /// `commands`.
    settings: u64,
    /// GET commands, included in `commands`.
    pub(crate) gets: u64,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let (folder, port) = (service::folder(), ReservedPort::new());
        let (number, socket) = (port.address.port(), folder.path().join("socket"));
        let mut redis = program("redis-server", "redis-server");
        redis.args(["--bind", "127.0.0.1", "--port", &number.to_string(), "--save", "", "--unixsocket", "socket"]);
        let service = Service::start(&mut redis, folder, [port]);
        let asking = UnixStream::connect(socket).expect("cannot connect to Redis");
        asking.set_read_timeout(Some(Duration::from_mins(2))).expect("cannot set the timeout");
        let mut redis = Self { service, port: number, asking: BufReader::new(asking) };
        assert_eq!(redis.ask("CONFIG RESETSTAT"), "+OK");
        redis
    }

    /// Sends a command, and returns the first line of the answer.
    fn ask(&mut self, command: &str) -> String {
        self.asking.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("cannot send to Redis");
        let mut line = String::new();
        self.asking.read_line(&mut line).expect("cannot read the answer");
        line.trim_end().to_owned()
    }

    fn info(&mut self) -> String {
        let length = self.ask("INFO everything");
        let length = length.strip_prefix('$').and_then(|length| length.parse().ok()).expect("a length");
        let mut text = vec![0; length];
        self.asking.read_exact(&mut text).expect("cannot read the answer");
        String::from_utf8(text).expect("the answer is UTF-8")
    }

    pub(crate) fn truth(mut self) -> Truth {
        self.service.wait_for_closes(self.port);
        let info = self.info();
        let number = |name: &str| {
            let rest = info.lines().find_map(|line| line.strip_prefix(name))?;
            Some(rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().expect("a number"))
        };
        let reset = number("cmdstat_config|resetstat:calls=").expect("RESETSTAT is counted");
        Truth {
            connections: number("total_connections_received:").expect("connections are counted"),
            commands: number("total_commands_processed:").expect("commands are counted") - reset,
            settings: number("cmdstat_config|get:calls=").unwrap_or(0),
            gets: number("cmdstat_get:calls=").unwrap_or(0),
        }
    }
}

/// The client sends first, so no turn is set-up.
#[test]
fn redis_cli_reuses_one_connection() {
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

/// Watches the benchmark, in which ten clients run each of two commands at least 1,000 times.
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
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": "redis-benchmark"[..15], "processes": 1 }));
    assert_fields(group, &json!({ "application": "redis" }));
    for close in report.of_type("close").iter().filter(|row| row["sent_bytes"] != 0) {
        assert_fields(close, &json!({ "protocol": "plain", "application": "redis", "exact": true }));
    }
    (report, truth)
}

/// Asserts that each command is an exchange, except that the two queries of settings are one together.
fn assert_each_command(options: &str) -> Report {
    let (report, truth) = benched(options);
    assert_eq!((truth.commands, truth.settings), (2002, 2), "{truth:?}");
    report.assert_totals(&json!({ "exchanges": truth.commands - 1 }));
    report
}

#[test]
fn commands_on_kept_connections_are_exact() {
    let report = assert_each_command("-k 1");
    // One connection for the settings, and ten for each of the two commands.
    report.assert_totals(&json!({ "opened": 21, "new": 21, "reused": 1980, "unused": 0 }));
}

#[test]
fn commands_on_connections_of_their_own_are_exact() {
    let report = assert_each_command("-k 0");
    report.assert_totals(&json!({ "new": 2001, "reused": 0 }));
}

/// Commands that are sent together are answered together, so round trips are counted.
#[test]
fn each_batch_of_pipelined_commands_is_one_exchange() {
    let (report, truth) = benched("-k 1 -P 16");
    let benchmarked = truth.commands - truth.settings;
    assert!(benchmarked >= 2000 && benchmarked % 16 == 0, "{truth:?}");
    report.assert_totals(&json!({ "exchanges": benchmarked / 16 + 1, "new": truth.connections, "unused": 0 }));
}
