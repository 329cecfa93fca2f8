//! The size of the release build. `cargo xtask bench` measures how long it takes to start.

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::support::programs::output_of;

const MAX_BYTES: u64 = 10_000_000;

/// Builds the release program, and returns the path that cargo reports.
fn release() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--release", "--quiet", "--message-format=json"]);
    let messages = output_of(cargo.args(["--package", env!("CARGO_PKG_NAME"), "--bin", env!("CARGO_PKG_NAME")]));
    let artifact = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(message.get("executable")?.as_str()?.into()));
    artifact.expect("cargo reports the path of the program")
}

#[test]
fn release_build_is_under_10_mb() {
    let bytes = fs::metadata(release()).expect("cannot read the program's metadata").len();
    println!("the program has {bytes} bytes");
    assert!(bytes < MAX_BYTES, "{bytes} bytes");
}
