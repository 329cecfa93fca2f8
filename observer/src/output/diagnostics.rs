//! `-v` and `--log-file`: where diagnostics go. They are for finding out why something is as it is; what a user has to
//! know is a notice, in the output itself.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use env_logger::{Builder, Target, TimestampPrecision};
use log::LevelFilter;

/// What is kept while the screen belongs to a dashboard; what comes then is counted.
const MAX_HELD_BYTES: usize = 1 << 20;

/// Diagnostics that wait for the screen to be free, if it is not.
static HELD: Mutex<Option<Held>> = Mutex::new(None);

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    dropped_lines: u64,
}

fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on nothing must be written to stderr.
pub(crate) fn hold() {
    held().get_or_insert_default();
}

/// The screen is free: writes what was held.
pub(crate) fn release() {
    write(held().take());
}

/// The same for a panic, which may have come while this very thread had what was held.
pub(crate) fn release_if_free() {
    if let Ok(mut held) = HELD.try_lock() {
        let taken = held.take();
        drop(held);
        write(taken);
    }
}

fn write(held: Option<Held>) {
    let Some(Held { bytes, dropped_lines }) = held else { return };
    // Where stderr cannot be written to, nobody could be told.
    let _ = io::stderr().write_all(&bytes);
    if dropped_lines > 0 {
        eprintln!("{dropped_lines} more lines of diagnostics (--log-file keeps all of them)");
    }
}

/// Stderr, as soon as the screen is free.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match held().as_mut() {
            None => return io::stderr().write(bytes),
            Some(held) if held.bytes.len() + bytes.len() > MAX_HELD_BYTES => held.dropped_lines += 1,
            Some(held) => held.bytes.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

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
    } else {
        builder.target(Target::Pipe(Box::new(Stderr)));
    }
    builder.try_init().context("the log is open already")
}

/// Whether anyone reads diagnostics.
pub(crate) fn enabled() -> bool {
    log::max_level() >= LevelFilter::Info
}
