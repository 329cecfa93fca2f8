//! `tcp-reuse-watch compare`: two watches side by side. It needs no privileges.
//!
//! A recording is replayed without pauses, and its summary is then read like any other. So a recording and the summary of
//! the same watch are equal.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, Cursor, IsTerminal as _, Read as _, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, anyhow, bail};
use ratatui::crossterm::terminal;
use serde::Deserialize;

use crate::{
    cli::{self, CompareOutput},
    exit,
};
use observer_core::{
    Conclusion,
    comparison::{Comparison, FileKind, Side, Summary},
    gate::Verdict,
    printable::printable,
    recording::{Record, Recording},
    tracker::Tracker,
    views::{
        JsonView, View as _, comparison_json, comparison_lines, comparison_markdown, verdict_sentence, wrap::WIDTH,
    },
};

/// The header of a recording is shorter.
const MAX_HEADER_BYTES: u64 = 1 << 20;

pub(crate) fn run(options: &cli::Compare) -> anyhow::Result<ExitCode> {
    let (before, after) = (read(&options.before)?, read(&options.after)?);
    let comparison = Comparison::new(before, after, options.mappings.clone())?;
    let judged = options.limits().judge(&comparison);
    let text = match options.output {
        CompareOutput::Lines => comparison_lines(&comparison, width()),
        CompareOutput::Json => comparison_json(&comparison, &judged),
        CompareOutput::Markdown => comparison_markdown(&comparison),
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write to standard output");
        }
        _ => {}
    }
    for sentence in judged.iter().filter_map(|judgement| verdict_sentence(&comparison, judgement)) {
        // The exit code tells it, too.
        let _ = writeln!(io::stderr(), "tcp-reuse-watch: {sentence}");
    }
    let has_failed = judged.iter().any(|judgement| judgement.verdict == Verdict::Failed);
    Ok(if has_failed { exit::gate_failed() } else { ExitCode::SUCCESS })
}

/// The width of the terminal, if standard output is one; else COLUMNS, if it is set.
fn width() -> usize {
    let of_terminal = || terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0);
    let columns = if io::stdout().is_terminal() { of_terminal() } else { None };
    let of_environment = || env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
    columns.or_else(of_environment).unwrap_or(WIDTH)
}

fn read(path: &Path) -> anyhow::Result<Side> {
    let shown = printable(&path.display().to_string());
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let mut reader = BufReader::new(file);
    let mut first_line = Vec::new();
    reader
        .by_ref()
        .take(MAX_HEADER_BYTES)
        .read_until(b'\n', &mut first_line)
        .with_context(|| format!("cannot read {shown}"))?;
    if first_line.is_empty() {
        bail!(
            "{shown} is empty: a watch writes its recording (--record) or its summary (--summary) there, the summary only at its end"
        );
    }
    let is_recording = serde_json::from_slice::<Header>(&first_line).is_ok();
    let whole = Cursor::new(first_line).chain(reader);
    let (kind, summary, cut) = if is_recording {
        let (summary, cut) = replay(path, whole)?;
        (FileKind::Recording, summary, cut)
    } else {
        let summary = Summary::read(whole).map_err(|error| anyhow!("{shown}: {error:#}"))?;
        (FileKind::Summary, summary, None)
    };
    Ok(Side { file: path.display().to_string(), kind, cut, summary })
}

/// What tells a recording from a summary.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "recording")]
    _format: u32,
}

/// The summary of a recording, and why it could not be read to its end.
fn replay(path: &Path, reader: impl BufRead + Send + 'static) -> anyhow::Result<(Summary, Option<String>)> {
    let mut recording = Recording::new(path, reader)?;
    let about = recording.about();
    let mut tracker = Tracker::new(about.started_unix_ns, recording.max_connections());
    let mut unix_ns = about.started_unix_ns;
    let mut has_counts = false;
    let cut = loop {
        let record = match recording.read() {
            Ok(record) => record,
            Err(error) if has_counts => break Some(format!("{error:#}")),
            Err(error) => return Err(error.context("nothing to compare: the recording has no counts")),
        };
        unix_ns = unix_ns.max(record.unix_ns());
        match record {
            Record::Event(event) => {
                tracker.apply(event);
            }
            Record::Sample { sample, .. } => {
                tracker.sample(sample);
                has_counts = true;
            }
            Record::End { .. } => break None,
        }
    };
    let summary = JsonView.summary(&Conclusion::new(&about, &tracker.snapshot(unix_ns)));
    let mut summary = Summary::read(summary.as_bytes())?;
    // The summary names this program's version, and not that of the one that watched.
    summary.version = Some(recording.version().into()).filter(|version: &String| !version.is_empty());
    Ok((summary, cut))
}
