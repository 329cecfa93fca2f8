//! Message brokers: messages are not answered like requests, and many turns only set up a connection. Set-up turns are
//! not counted; the other turns are counted and marked. The broker counts the connections.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpStream,
    process::Command,
    thread::sleep,
    time::Duration,
};

use serde_json::json;

use crate::support::{
    http::send,
    machine::Machine,
    programs::{output_of, program},
    python::python,
    report::{Report, assert_fields},
    service::{self, Service},
    sockets::ReservedPort,
};

/// RabbitMQ with epmd, the daemon through which its nodes find each other.
pub(crate) struct Rabbit {
    broker: Service,
    _epmd: Service,
    port: u16,
}

impl Rabbit {
    pub(crate) fn start() -> Self {
        let [port, dist, names] = [(); 3].map(|()| ReservedPort::new());
        let (number, dist, names_number) = (port.address.port(), dist.address.port(), names.address.port());
        let mut epmd = program("epmd", "rabbitmq-server");
        epmd.args(["-address", "127.0.0.1", "-port", &names_number.to_string()]);
        let epmd = Service::start(&mut epmd, service::folder(), [names]);

        let folder = service::folder();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("plugins"), "[].").expect("cannot write the file");
        let mut rabbit = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        rabbit.envs([
            ("HOME", file("home")),
            ("RABBITMQ_MNESIA_BASE", file("mnesia")),
            ("RABBITMQ_LOG_BASE", file("logs")),
        ]);
        rabbit.envs([("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins")), ("RABBITMQ_CONFIG_FILE", file("none"))]);
        rabbit.envs([("RABBITMQ_PID_FILE", file("pid")), ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into())]);
        rabbit.envs([("ERL_EPMD_ADDRESS", "127.0.0.1"), ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")]);
        rabbit.envs([("RABBITMQ_NODENAME", "reuse@localhost"), ("RABBITMQ_LOGS", "-")]);
        let ports = [("ERL_EPMD_PORT", names_number), ("RABBITMQ_NODE_PORT", number), ("RABBITMQ_DIST_PORT", dist)];
        rabbit.envs(ports.map(|(name, port)| (name, port.to_string())));
        rabbit.env("RABBITMQ_SERVER_START_ARGS", "+S 1:1");
        fs::create_dir(file("home")).expect("cannot create a directory");
        let broker = Service::start(&mut rabbit, folder, [port]);
        broker.wait_for_log("Server startup complete");
        Self { broker, _epmd: epmd, port: number }
    }

    fn accepted(&self) -> u64 {
        self.broker.read("log").matches("accepting AMQP connection").count() as u64
    }
}

/// Publishes confirmed messages. Declaring the queue, enabling confirmations, and closing the channel and the
/// connection take one turn each; the turns before are set-up.
pub(crate) fn published(rabbit: &Rabbit, connections: u64, messages: u64) -> Report {
    let machine = Machine::shared();
    let before = rabbit.accepted();
    let watch = machine.watch(format!("-p {}", rabbit.port));
    output_of(python("amqp_client.py").args([rabbit.port.into(), connections, messages].map(|n| n.to_string())));
    rabbit.broker.wait_for_closes(rabbit.port);
    assert_eq!(rabbit.accepted() - before, connections, "connections that RabbitMQ accepted");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "failed": 0, "new": connections }));
    report.assert_totals(
        &json!({ "asked": connections, "needed": 1, "avoidable": connections - 1, "avoidable_exact": true }),
    );
    report.assert_marked("plain", Some("amqp"));
    let exchanges = report.total("exchanges");
    let (least, most) = (connections * messages, connections * (messages + 4));
    assert!((least..=most).contains(&exchanges), "{exchanges} turns for {least} messages");
    report
}

#[test]
fn amqp_turns_are_marked() {
    let rabbit = Rabbit::start();
    published(&rabbit, 4, 1);
    published(&rabbit, 1, 20);
}

pub(crate) fn mosquitto() -> (Service, u16) {
    let (folder, port) = (service::folder(), ReservedPort::new());
    let number = port.address.port();
    let configuration =
        format!("listener {number} 127.0.0.1\nallow_anonymous true\nlog_type all\nlog_dest stdout\nuser root\n");
    fs::write(folder.path().join("mosquitto.conf"), configuration).expect("cannot write the file");
    let mut mosquitto = program("mosquitto", "mosquitto");
    (Service::start(mosquitto.args(["-c", "mosquitto.conf"]), folder, [port]), number)
}

/// Each message is confirmed (QoS 1). The client's CONNECT sets the connection up.
#[test]
fn mqtt_turns_are_marked() {
    const CLIENTS: u64 = 3;
    let machine = Machine::shared();
    let (mosquitto, port) = mosquitto();
    let watch = machine.watch(format!("-p {port}"));
    for _ in 0..CLIENTS {
        let mut publish = program("mosquitto_pub", "mosquitto-clients");
        publish.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", "jobs", "-m", "job"]);
        output_of(&mut publish);
    }
    mosquitto.wait_for_closes(port);
    let log = mosquitto.stop_and_read("log");
    let (connections, messages) = (log.matches("New connection from").count(), log.matches("Received PUBLISH").count());
    assert_eq!((connections as u64, messages as u64), (CLIENTS, CLIENTS), "counts in the log of mosquitto: {log}");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": CLIENTS, "closed": CLIENTS, "failed": 0, "exchanges": CLIENTS }));
    report.assert_marked("plain", Some("mqtt"));
}

fn nats() -> (Service, u16) {
    let (folder, port) = (service::folder(), ReservedPort::new());
    let number = port.address.port();
    let mut nats = program("nats-server", "nats-server");
    nats.args(["--addr", "127.0.0.1", "--port", &number.to_string(), "--debug"]);
    (Service::start(&mut nats, folder, [port]), number)
}

/// A minimal NATS client.
struct Nats(BufReader<TcpStream>);

impl Nats {
    /// Connects: the server sends INFO, the client introduces itself with CONNECT, and checks with PING.
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("cannot connect to NATS");
        stream.set_read_timeout(Some(Duration::from_mins(2))).expect("cannot set the timeout");
        let mut nats = Self(BufReader::new(stream));
        assert!(nats.line().starts_with("INFO {"), "expected the server's greeting");
        nats.say("CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"1\"}\r\nPING\r\n");
        assert_eq!(nats.line(), "PONG");
        nats
    }

    fn say(&mut self, text: &str) {
        send(self.0.get_mut(), text);
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("cannot read from the server");
        line.trim_end().to_owned()
    }

    /// Reads a message, and returns its reply subject.
    fn message(&mut self) -> String {
        let head = self.line();
        let length = head.rsplit(' ').next().and_then(|length| length.parse().ok());
        let length: usize = length.unwrap_or_else(|| panic!("not a message: {head}"));
        self.0.read_exact(&mut vec![0; length + 2]).expect("cannot read the whole message");
        head.split(' ').nth(3).unwrap_or_default().to_owned()
    }
}

/// A requester and a worker communicate through the broker. Both are its clients.
#[test]
fn nats_turns_are_marked() {
    const REQUESTS: u64 = 12;
    let machine = Machine::shared();
    let (server, port) = nats();
    let watch = machine.watch(format!("-p {port}"));
    let (mut worker, mut asker) = (Nats::connect(port), Nats::connect(port));
    worker.say("SUB jobs 1\r\nPING\r\n");
    assert_eq!(worker.line(), "PONG");
    asker.say("SUB answers 1\r\n");
    for _ in 0..REQUESTS {
        asker.say("PUB jobs answers 3\r\njob\r\n");
        assert_eq!(worker.message(), "answers");
        worker.say("PUB answers 4\r\ndone\r\n");
        asker.message();
        sleep(Duration::from_millis(5));
    }
    drop((worker, asker));
    server.wait_for_closes(port);
    let connections = server.stop_and_read("log").matches("Client connection created").count();
    assert_eq!(connections, 2, "counts in the log of NATS");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 2, "closed": 2, "failed": 0 }));
    report.assert_marked("plain", Some("nats"));
    // The worker's replies look like requests; the set-up of both connections does not.
    let exchanges = report.total("exchanges");
    assert!((REQUESTS..=2 * REQUESTS + 1).contains(&exchanges), "{exchanges} turns");
}

/// A greeting is set-up, and no exchange.
#[test]
fn nats_connection_that_only_greets_is_unused() {
    let machine = Machine::shared();
    let (server, port) = nats();
    let watch = machine.watch(format!("-p {port}"));
    drop(Nats::connect(port));
    server.wait_for_closes(port);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "unused": 1, "exchanges": 0 }));
    report.assert_totals(&json!({ "asked": 0, "needed": 0, "avoidable": 0, "avoidable_exact": true }));
    assert_fields(report.only("close"), &json!({ "application": "nats", "cause": "unused" }));
}
