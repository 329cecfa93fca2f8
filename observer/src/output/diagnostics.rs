//! The log of `-v` and `--log-file`. Diagnostics explain why the program does something. Anything that users must know
//! is a notice in the output instead.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use env_logger::{Builder, Target, TimestampPrecision};
use log::LevelFilter;

/// Diagnostics held while the dashboard has the screen. Lines beyond that are dropped and counted.
const MAX_HELD_BYTES: usize = 1 << 20;

/// Held diagnostics. None while the screen is free.
static HELD: Mutex<Option<Held>> = Mutex::new(None);

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    dropped_lines: u64,
}

fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds diagnostics from now on, instead of writing them to stderr.
pub(crate) fn hold() {
    held().get_or_insert_default();
}

/// Writes the held diagnostics, because the screen is free again.
pub(crate) fn release() {
    write(held().take());
}

/// Like [`release`], for a panic hook. The panicking thread may hold the lock, so this does not wait for it.
pub(crate) fn release_if_free() {
    if let Ok(mut held) = HELD.try_lock() {
        let taken = held.take();
        drop(held);
        write(taken);
    }
}

fn write(held: Option<Held>) {
    let Some(Held { bytes, dropped_lines }) = held else { return };
    // There is nowhere to report a failure of stderr.
    let _ = io::stderr().write_all(&bytes);
    if dropped_lines > 0 {
        eprintln!("{dropped_lines} lines of diagnostics dropped (--log-file keeps all of them)");
    }
}

/// Stderr once the screen is free.
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

/// Opens the log. `--log-file` implies `-v`.
pub(crate) fn open(verbose: bool, file: Option<&Path>) -> anyhow::Result<()> {
    if !verbose && file.is_none() {
        return Ok(());
    }
    let mut builder = Builder::new();
    // aya logs every relocation.
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

/// Whether diagnostics are on.
pub(crate) fn enabled() -> bool {
    log::max_level() >= LevelFilter::Info
}
