//! The Go programs of the story. The server counts the truth: the connections that net/http saw, and the requests that
//! its handler answered.

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

/// The names are what the kernel keeps of a process's name: at most 15 bytes.
pub(crate) const CLIENT: &str = "story-client";
const SERVER: &str = "story-server";

struct Built {
    client: PathBuf,
    server: PathBuf,
}

/// Compiles both, once a run.
fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| Built {
        client: go_program(CLIENT, include_str!("../programs/client.go")),
        server: go_program(SERVER, include_str!("../programs/server.go")),
    })
}

/// The client of the story, which exits when it has made its requests.
pub(crate) fn client(arguments: &str) -> Command {
    let mut command = Command::new(&built().client);
    command.args(arguments.split_whitespace());
    command
}

/// What the server counted.
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
    /// Listens when this comes back.
    pub(crate) fn start(arguments: &str) -> Self {
        Self::run(Command::new(&built().server).args(arguments.split_whitespace()))
    }

    pub(crate) fn start_on(host: &Host, arguments: &str) -> Self {
        Self::run(&mut host.run(Command::new(&built().server).args(arguments.split_whitespace())))
    }

    fn run(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command);
        let mut output = BufReader::new(process.child.stdout.take().expect("the pipe was asked for")).lines();
        let Listening { port } = said(&mut output);
        Self { process, output, port }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Waits until its clients are gone, and ends it.
    pub(crate) fn truth(mut self) -> Truth {
        let mut stdin = self.process.child.stdin.take().expect("the pipe was asked for");
        stdin.flush().expect("the server lives");
        drop(stdin);
        let truth = said(&mut self.output);
        let status = self.process.wait(Duration::from_secs(5));
        assert!(status.success(), "the server ended with {status}");
        truth
    }
}

fn said<T: DeserializeOwned>(output: &mut Lines<BufReader<ChildStdout>>) -> T {
    let line = output.next().expect("the Go server says something").expect("its output is UTF-8");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("the Go server says {line}: {error}"))
}
