//! The client programs and their protocol: a program reads one line per cell from standard input, and writes one line per
//! cell when its requests have succeeded. curl has no such program: see `curl.rs`.

use std::{net::SocketAddr, path::PathBuf, process::Command, sync::OnceLock, time::Duration};

use anyhow::{Context as _, Result, anyhow};

use crate::{
    cell::Cell,
    client::{Client, Program},
    curl,
    mode::{PAUSE_MS, ServerPolicy},
    support::{
        programs::{compilers_folder, go_program, output_of, program},
        tool::RunOutput,
    },
};

/// The time limit for all cells of a client.
const LIMIT: Duration = Duration::from_mins(1);

const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix/programs/client.js");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix/programs/client.py");
const JAVA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix/programs/MatrixClient.java");

/// Disables the verification of host names, and makes pools keep two idle connections.
const JAVA_OPTIONS: [&str; 5] = [
    "-Djdk.internal.httpclient.disableHostnameVerification=true",
    "-Djdk.httpclient.connectionPoolSize=2",
    "-Dhttp.maxConnections=2",
    // These two make the JVM start faster.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
];

/// Runs the cells of a client one after the other. Returns the number of requests that succeeded in each.
pub(crate) fn run(client: &Client, cells: &[(Cell, SocketAddr)]) -> Vec<Result<u64>> {
    if client.program == Program::Curl {
        return cells.iter().map(|(cell, address)| curl::run(cell, *address)).collect();
    }
    let input: String = cells.iter().map(|(cell, address)| input_line(cell, *address)).collect();
    let ended = RunOutput::run_on(&input, LIMIT, &mut command(client));
    let mut output = ended.stdout.lines();
    let succeeded = |_| {
        let line = output.next().ok_or_else(|| anyhow!("the client exited with {}: {}", ended.status, ended.stderr))?;
        line.parse().with_context(|| format!("the client printed {line}"))
    };
    cells.iter().map(succeeded).collect()
}

fn input_line(cell: &Cell, address: SocketAddr) -> String {
    let mode = cell.mode;
    let pause = if mode.server == ServerPolicy::TimesOut { PAUSE_MS } else { 0 };
    format!(
        "{} {} {} {} {} {} {} {pause}\n",
        cell.url(address),
        mode.requests,
        mode.concurrency,
        mode.body,
        mode.is_read,
        mode.upload,
        mode.is_chunked
    )
}

fn command(client: &Client) -> Command {
    let mut command = match client.program {
        Program::Curl => unreachable!("curl runs one command per cell"),
        Program::Go => Command::new(go_program("matrix-client", include_str!("programs/client.go"))),
        Program::Java => java(),
        Program::Node => node(),
        Program::Python => python(),
    };
    command.arg(client.kind).env("NO_PROXY", "*");
    command
}

fn java() -> Command {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    let classes = CLASSES.get_or_init(|| {
        let (folder, _lock) = compilers_folder();
        let classes = folder.join("matrix-classes");
        output_of(program("javac", "openjdk-17-jdk-headless").arg("-d").arg(&classes).arg(JAVA));
        classes
    });
    let mut java = program("java", "openjdk-17-jdk-headless");
    java.args(JAVA_OPTIONS).arg("-cp").arg(classes).arg("MatrixClient");
    java
}

fn node() -> Command {
    let mut node = program("node", "nodejs");
    // Only this variable turns off verification for fetch; Node warns about it.
    node.arg(NODE).env("NODE_TLS_REJECT_UNAUTHORIZED", "0").env("NODE_NO_WARNINGS", "1");
    node
}

/// The distribution's Python, because others do not have its packages.
fn python() -> Command {
    let mut python = program("/usr/bin/python3", "python3-requests");
    python.arg(PYTHON);
    python
}
