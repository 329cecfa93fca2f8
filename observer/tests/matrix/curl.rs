//! curl: a command a cell, which says of each request how it ended.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    cell::Cell,
    mode::Server,
    support::{
        programs::{compilers_folder, program},
        tool::RunOutput,
    },
};

const LIMIT: Duration = Duration::from_secs(20);

/// How many requests succeeded.
pub(crate) fn run(cell: &Cell, address: SocketAddr) -> Result<u64> {
    let mode = cell.mode;
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--fail", "--insecure", "--noproxy", "*"]);
    curl.args([cell.client.kind, "--write-out", "%{http_code} %{size_download}\n"]);
    if mode.at_once > 1 {
        curl.args(["--parallel", "--parallel-immediate", "--parallel-max", &mode.at_once.to_string()]);
    }
    if mode.upload > 0 {
        curl.arg("--data-binary").arg(format!("@{}", upload(mode.upload).display()));
    }
    if mode.is_chunked {
        // Without the second it would wait for "100 Continue", which is an exchange more, by definition.
        curl.args(["--header", "Transfer-Encoding: chunked", "--header", "Expect:"]);
    }
    if mode.server == Server::TimesOut {
        // A request each 750 ms: it cannot pause but between all of them.
        curl.args(["--rate", "80/m"]);
    }
    for _ in 0..mode.times {
        curl.args(["--output", "/dev/null", &cell.url(address)]);
    }
    let RunOutput { status, stdout: answers, stderr } = RunOutput::run_on("", LIMIT, &mut curl);
    ensure!(status.success(), "curl ended with {status}: {stderr}");
    let expected = format!("200 {}", mode.body);
    ensure!(answers.lines().all(|answer| answer == expected), "of each {expected} was expected: {answers}");
    Ok(answers.lines().count() as u64)
}

/// A file of this length.
fn upload(length: u64) -> PathBuf {
    let (folder, _lock) = compilers_folder();
    let path = folder.join(format!("matrix-upload-{length}"));
    fs::write(&path, vec![b'.'; length as usize]).expect("a file can be written");
    path
}
