//! A slow upload: the client sends in pieces, and checks for an answer between them.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::tool::Process;

/// Runs curl with an upload of five one-byte chunks.
pub(crate) fn upload_in_pieces(mut curl: Command) {
    curl.args(["--no-progress-meter", "--header", "Expect:", "--upload-file", "."]);
    let mut client = Process::start(curl.stdin(Stdio::piped()));
    let mut stdin = client.child.stdin.take().expect("the stream is piped");
    for _ in 0..5 {
        stdin.write_all(b"x").expect("cannot write to curl");
        sleep(Duration::from_millis(20));
    }
    drop(stdin);
    assert!(client.wait(Duration::from_mins(2)).success(), "the upload succeeds");
}
