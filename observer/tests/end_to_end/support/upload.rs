//! An upload that takes its time: the client sends, and looks for an answer meanwhile.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::tool::Process;

/// Runs curl, with an upload in five chunks of one byte.
pub(crate) fn upload_in_pieces(mut curl: Command) {
    curl.args(["--no-progress-meter", "--header", "Expect:", "--upload-file", "."]);
    let mut client = Process::start(curl.stdin(Stdio::piped()));
    let mut stdin = client.child.stdin.take().expect("the pipe was asked for");
    for _ in 0..5 {
        stdin.write_all(b"x").expect("curl reads");
        sleep(Duration::from_millis(20));
    }
    drop(stdin);
    assert!(client.wait(Duration::from_secs(5)).success(), "the upload succeeds");
}
