//! `-v` and `--log-file`: where diagnostics go. They are for finding out why something is as it is; what a user has to
//! know is a notice, in the output itself.

use std::{fs::OpenOptions, path::Path};

use anyhow::Context as _;
use env_logger::{Builder, Target, TimestampPrecision};
use log::LevelFilter;

/// Opens the log. A file without `-v` is taken as wanting diagnostics too.
pub(crate) fn open(verbose: bool, file: Option<&Path>) -> anyhow::Result<()> {
    if !verbose && file.is_none() {
        return Ok(());
    }
    let mut builder = Builder::new();
    // aya tells of every relocation.
    builder
        .filter_level(LevelFilter::Debug)
        .filter_module("aya", LevelFilter::Warn)
        .filter_module("aya_obj", LevelFilter::Warn);
    builder.format_target(false).format_timestamp(Some(TimestampPrecision::Millis));
    if let Some(path) = file {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot write the log file {}", path.display()))?;
        builder.target(Target::Pipe(Box::new(file)));
    }
    builder.try_init().context("the log is open already")
}

/// Whether anyone reads diagnostics.
pub(crate) fn enabled() -> bool {
    log::max_level() >= LevelFilter::Info
}
