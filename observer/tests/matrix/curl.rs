//! curl: one command per cell, which reports the outcome of each request.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    cell::Cell,
    mode::ServerPolicy,
    support::{
        programs::{compilers_folder, program},
        tool::RunOutput,
    },
};

const LIMIT: Duration = Duration::from_mins(2);

/// Runs a cell and returns the number of requests that succeeded.
pub(crate) fn run(cell: &Cell, address: SocketAddr) -> Result<u64> {
    let mode = cell.mode;
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--fail", "--insecure", "--noproxy", "*"]);
    curl.args([cell.client.kind, "--write-out", "%{http_code} %{size_download}\n"]);
    if mode.concurrency > 1 {
        curl.args(["--parallel", "--parallel-immediate", "--parallel-max", &mode.concurrency.to_string()]);
    }
    if mode.upload > 0 {
        curl.arg("--data-binary").arg(format!("@{}", upload(mode.upload).display()));
    }
    if mode.is_chunked {
        // The empty Expect header keeps curl from waiting for "100 Continue".
        curl.args(["--header", "Transfer-Encoding: chunked", "--header", "Expect:"]);
    }
    if mode.server == ServerPolicy::TimesOut {
        // One request every 750 ms, because curl cannot pause only once.
        curl.args(["--rate", "80/m"]);
    }
    for _ in 0..mode.requests {
        curl.args(["--output", "/dev/null", &cell.url(address)]);
    }
    let RunOutput { status, stdout: answers, stderr } = RunOutput::run_on("", LIMIT, &mut curl);
    ensure!(status.success(), "curl exited with {status}: {stderr}");
    let expected = format!("200 {}", mode.body);
    ensure!(answers.lines().all(|answer| answer == expected), "expected {expected} for every request: {answers}");
    Ok(answers.lines().count() as u64)
}

/// A file of this length in bytes.
fn upload(length: u64) -> PathBuf {
    let (folder, _lock) = compilers_folder();
    let path = folder.join(format!("matrix-upload-{length}"));
    fs::write(&path, vec![b'.'; length as usize]).expect("a file can be written");
    path
}
