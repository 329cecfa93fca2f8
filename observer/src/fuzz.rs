//! What the targets in `fuzz/` call in this crate. Built with `--cfg fuzzing` only: see docs/develop/testing.md.

pub use crate::{
    cli::fuzz::{parse_command_line, parse_value},
    exporter::fuzz::serve,
    host::fuzz::parse_proc_file,
    kernel::btf::fuzz::parse_btf,
};
