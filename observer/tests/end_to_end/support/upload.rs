//! A slow upload: the client sends in pieces, and checks for an answer between them.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rustix::io::ioctl_fionread;

use super::{eventually, tool::Process};

/// Runs curl with an upload of five one-byte chunks, each in a send of its own: curl has read one before the next is
/// written. Four together are as long as HTTP/2's acknowledgement of settings.
pub(crate) fn upload_in_pieces(mut curl: Command) {
    curl.args(["--no-progress-meter", "--header", "Expect:", "--upload-file", "."]);
    let mut client = Process::start(curl.stdin(Stdio::piped()));
    let mut stdin = client.child.stdin.take().expect("the stream is piped");
    for _ in 0..5 {
        stdin.write_all(b"x").expect("cannot write to curl");
        eventually("curl has read the piece", || ioctl_fionread(&stdin).expect("cannot read the fill level") == 0);
        sleep(Duration::from_millis(20));
    }
    drop(stdin);
    assert!(client.wait(Duration::from_mins(2)).success(), "the upload succeeds");
}
