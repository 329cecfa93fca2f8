//! The client programs, and how they are told what to do: a line a cell on standard input, and a line a cell from them
//! when its requests have succeeded. curl is not asked that way: see `curl.rs`.

use std::{net::SocketAddr, path::PathBuf, process::Command, sync::OnceLock, time::Duration};

use anyhow::{Context as _, Result, anyhow};

use crate::{
    cell::Cell,
    client::{Client, Program},
    curl,
    mode::{PAUSE_MS, Server},
    support::{
        programs::{compilers_folder, go_program, output_of, program},
        tool::RunOutput,
    },
};

/// For all cells of a client.
const LIMIT: Duration = Duration::from_mins(1);

const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix/programs/client.js");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix/programs/client.py");
const JAVA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix/programs/MatrixClient.java");

/// Certificates are not verified, and of several connections that are not needed two are kept.
const JAVA_OPTIONS: [&str; 5] = [
    "-Djdk.internal.httpclient.disableHostnameVerification=true",
    "-Djdk.httpclient.connectionPoolSize=2",
    "-Dhttp.maxConnections=2",
    // It starts sooner.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
];

/// Runs cells of a client, one after the other: for each, how many of its requests succeeded.
pub(crate) fn run(client: &Client, cells: &[(Cell, SocketAddr)]) -> Vec<Result<u64>> {
    if client.program == Program::Curl {
        return cells.iter().map(|(cell, address)| curl::run(cell, *address)).collect();
    }
    let input: String = cells.iter().map(|(cell, address)| line(cell, *address)).collect();
    let ended = RunOutput::run_on(&input, LIMIT, &mut command(client));
    let mut said = ended.stdout.lines();
    let answer = |_| {
        let line = said.next().ok_or_else(|| anyhow!("the client ended with {}: {}", ended.status, ended.stderr))?;
        line.parse().with_context(|| format!("the client says {line}"))
    };
    cells.iter().map(answer).collect()
}

fn line(cell: &Cell, address: SocketAddr) -> String {
    let mode = cell.mode;
    let pause = if mode.server == Server::TimesOut { PAUSE_MS } else { 0 };
    format!(
        "{} {} {} {} {} {} {} {pause}\n",
        cell.url(address),
        mode.times,
        mode.at_once,
        mode.body,
        mode.is_read,
        mode.upload,
        mode.is_chunked
    )
}

fn command(client: &Client) -> Command {
    let mut command = match client.program {
        Program::Curl => unreachable!("curl has a command for each cell"),
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
    // Nothing else tells fetch not to verify; the warning is about that.
    node.arg(NODE).env("NODE_TLS_REJECT_UNAUTHORIZED", "0").env("NODE_NO_WARNINGS", "1");
    node
}

/// The distribution's: others do not have its packages.
fn python() -> Command {
    let mut python = program("/usr/bin/python3", "python3-requests");
    python.arg(PYTHON);
    python
}
