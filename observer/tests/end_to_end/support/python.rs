//! Python programs, which are kept beside the tests.

use std::{path::Path, process::Command};

use super::programs::program;

/// Uses Debian's Python, which has Debian's libraries; another Python may come first in PATH.
pub(crate) fn python(name: &str) -> Command {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/programs");
    let mut command = program("/usr/bin/python3", "python3");
    command.arg("-I").arg(programs.join(name));
    command
}
