//! The Go client and server. The server counts independently: connections as net/http sees them, and requests that its
//! handler answered.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::{ChildStdout, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{hosts::Host, programs::go_program, tool::Process};

/// Process names, which the kernel limits to 15 bytes.
pub(crate) const CLIENT: &str = "story-client";
const SERVER: &str = "story-server";

struct Built {
    client: PathBuf,
    server: PathBuf,
}

/// Compiles both programs, once a test run.
fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| Built {
        client: go_program(CLIENT, include_str!("../programs/client.go")),
        server: go_program(SERVER, include_str!("../programs/server.go")),
    })
}

/// The Go client, which exits after its requests.
pub(crate) fn client(arguments: &str) -> Command {
    let mut command = Command::new(&built().client);
    command.args(arguments.split_whitespace());
    command
}

/// The server's counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) connections: u64,
    pub(crate) closed: u64,
    pub(crate) requests: u64,
}

pub(crate) struct Server {
    process: Process,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) port: u16,
}

#[derive(Deserialize)]
struct Listening {
    port: u16,
}

impl Server {
    /// Starts the server, and returns once it listens.
    pub(crate) fn start(arguments: &str) -> Self {
        Self::run(Command::new(&built().server).args(arguments.split_whitespace()))
    }

    pub(crate) fn start_on(host: &Host, arguments: &str) -> Self {
        Self::run(&mut host.run(Command::new(&built().server).args(arguments.split_whitespace())))
    }

    fn run(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command);
        let mut output = BufReader::new(process.child.stdout.take().expect("the stream is piped")).lines();
        let Listening { port } = read_json_line(&mut output);
        Self { process, output, port }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Waits until the server's clients are gone, stops it, and returns its counts.
    pub(crate) fn truth(mut self) -> Truth {
        let mut stdin = self.process.child.stdin.take().expect("the stream is piped");
        stdin.flush().expect("the server is running");
        drop(stdin);
        let truth = read_json_line(&mut self.output);
        let status = self.process.wait(Duration::from_mins(2));
        assert!(status.success(), "the server ended with {status}");
        truth
    }
}

fn read_json_line<T: DeserializeOwned>(output: &mut Lines<BufReader<ChildStdout>>) -> T {
    let line = output.next().expect("the Go server wrote no line").expect("the output is UTF-8");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("the Go server wrote {line}: {error}"))
}
