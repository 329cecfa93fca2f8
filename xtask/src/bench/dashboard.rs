//! The dashboard under the heaviest load: a recording with 10,000 groups and 100,000 opens and closes a second. It has to
//! keep up, to answer keys, and to stay small.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use terminal::{Size, Terminal, vt100::Screen};

use super::Scope;
use super::report::{Section, Verdict};
use crate::support::running::{Running, status_of};
use crate::support::statistics::Quartiles;
use busy::Truth;

#[expect(clippy::cast_possible_truncation, clippy::expect_used, reason = "shared with the end-to-end tests")]
#[path = "../../../observer/tests/end_to_end/support/busy.rs"]
mod busy;

const SIZE: Size = Size { columns: 120, rows: 40 };
const KEYS: usize = 60;

/// At these keys the display is frozen and then continues; while it is frozen, two snapshots are held.
const FREEZES: [usize; 2] = [32, 45];

const MAX_ANSWER: Duration = Duration::from_millis(100);
const MAX_FRAME_US: f64 = 10_000.0;
/// How long the replay may take beyond the length of the recording.
const MAX_DELAY: Duration = Duration::from_secs(1);
const MAX_MIB: f64 = 128.0;

/// The pause between an effect and the next key: at most ten frames a second are drawn.
const FRAME: Duration = Duration::from_millis(100);

/// Time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// A key, a text that shows its effect, and whether the text appears or disappears.
type Step = (&'static str, &'static str, bool);

/// The sequence of keys, which repeats.
const ROUND: [Step; 11] = [
    ("?", "any key", true),
    ("\u{1b}", "any key", false),
    // Each of these keys rearranges all groups.
    ("s", "REUSED▼", true),
    ("o", "REUSED▲", true),
    ("S", "NEW▼", true),
    ("r", "since reset 0:00", true),
    ("/", "/_", true),
    ("7", "/7_", true),
    ("\u{1b}", "/7_", false),
    ("o", "NEW▲", true),
    ("o", "NEW▼", true),
];

/// One replay.
struct Replayed {
    /// From each key to its effect, without the time that the dashboard waited for a processor.
    answers: Vec<Duration>,
    slowest_frame_us: f64,
    /// Beyond the length of the recording.
    delay: Duration,
    peak_mib: f64,
}

pub(super) fn measure(tool: &Path, scope: Scope) -> Result<Section> {
    let (seconds, rounds) = (u64::from(scope.of(10, 3)), scope.of(5, 1));
    let folder = tempfile::tempdir()?;
    let truth = busy::write(&folder.path().join("recording"), seconds);
    let all: Vec<Replayed> =
        (0..rounds).map(|_| replay(tool, folder.path(), seconds, &truth)).collect::<Result<_>>()?;
    let mut section = Section::default();
    section.paragraph(&format!(
        "A recording of {} groups and {} opens and closes a second, replayed for {seconds} s at a size of {} × {}; \
         {rounds} replays with {KEYS} keys each, some of which rearrange all groups. An answer is the time from a key \
         to its effect on the screen, less the time that the dashboard waited for a processor.",
        busy::GROUPS,
        busy::EVENTS_PER_SECOND,
        SIZE.columns,
        SIZE.rows
    ));
    let slowest_answers = Quartiles::of(all.iter().filter_map(|of| of.answers.iter().max()).map(Duration::as_secs_f64));
    verdict(&mut section, "slowest answer", "ms", slowest_answers.scale(1000.0), MAX_ANSWER.as_secs_f64() * 1000.0);
    let frames = Quartiles::of(all.iter().map(|of| of.slowest_frame_us));
    verdict(&mut section, "processor time of the slowest frame", "µs", frames, MAX_FRAME_US);
    let delays = Quartiles::of(all.iter().map(|of| of.delay.as_secs_f64()));
    verdict(&mut section, "end after the end of the recording", "s", delays, MAX_DELAY.as_secs_f64());
    let memory = Quartiles::of(all.iter().map(|of| of.peak_mib));
    verdict(&mut section, "peak of resident memory", "MiB", memory, MAX_MIB);
    Ok(section)
}

fn verdict(section: &mut Section, what: &str, unit: &str, measured: Quartiles, most: f64) {
    section.verdict(Verdict::new(
        format!("dashboard of a busy recording, {what}: ≤ {most} {unit}"),
        format!("{measured:.1} {unit}"),
        measured.median <= most,
    ));
}

fn replay(tool: &Path, folder: &Path, seconds: u64, truth: &Truth) -> Result<Replayed> {
    let [recording, summary, log] = ["recording", "summary", "log"].map(|name| folder.join(name));
    // The log is appended to.
    let _ = fs::remove_file(&log);
    let terminal = Terminal::open(SIZE)?;
    let mut command = Command::new(tool);
    command.arg("replay").arg(&recording).arg("--summary").arg(&summary).arg("--log-file").arg(&log);
    terminal.attach(&mut command)?;
    let began = Instant::now();
    let mut running = Running::start(&mut command)?;
    wait(&terminal, "the dashboard", |screen| screen.alternate_screen() && screen.contents().contains("quit"))?;
    let answers = press_keys(&terminal, running.id(), Duration::from_millis(seconds * 950))?;
    let ended = wait(&terminal, "the end", |screen| screen.contents().contains("END  "))?;
    let peak_mib = status_of(running.id(), "VmHWM").context("the dashboard has ended")? as f64 / 1024.0;
    terminal.send("q")?;
    ensure!(running.wait(PATIENCE)?.success(), "the replay failed");
    check(&fs::read_to_string(&summary)?, truth)?;
    let delay = (ended - began).saturating_sub(Duration::from_secs(seconds));
    Ok(Replayed { answers, slowest_frame_us: slowest_frame_us(&fs::read_to_string(&log)?)?, delay, peak_mib })
}

fn check(summary: &str, truth: &Truth) -> Result<()> {
    let summary: Value = serde_json::from_str(summary)?;
    let total = |name: &str| summary["totals"][name].as_u64().unwrap_or(u64::MAX);
    let shown = Truth { opened: total("opened"), closed: total("closed"), reused: total("reused") };
    ensure!(shown == *truth, "the replay shows {shown:?}, and the recording holds {truth:?}");
    Ok(())
}

fn steps() -> impl Iterator<Item = Step> {
    let mut round = ROUND.into_iter().cycle();
    (0..KEYS).filter_map(move |n| match FREEZES.iter().position(|key| *key == n) {
        Some(place) => Some((" ", "FROZEN", place == 0)),
        None => round.next(),
    })
}

/// Presses keys spread over this time.
fn press_keys(terminal: &Terminal, pid: u32, time: Duration) -> Result<Vec<Duration>> {
    let began = Instant::now();
    let mut answers = Vec::new();
    for ((key, text, comes), n) in steps().zip(1..) {
        let (before, pressed) = (waited_for_cpu(pid), Instant::now());
        terminal.send(key)?;
        let shown = wait(terminal, text, |screen| screen.contents().contains(text) == comes)?;
        let waited = waited_for_cpu(pid).saturating_sub(before);
        answers.push(shown.saturating_duration_since(pressed).saturating_sub(waited));
        sleep((time * n / KEYS as u32).saturating_sub(began.elapsed()).max(FRAME));
    }
    Ok(answers)
}

fn wait(terminal: &Terminal, what: &str, is_there: impl FnMut(&Screen) -> bool) -> Result<Instant> {
    terminal.wait(PATIENCE, is_there).map_err(|error| anyhow!("{what}: {error}"))
}

/// How long the main thread has been runnable but not running so far: the second number of schedstat, in nanoseconds
/// (Documentation/scheduler/sched-stats.rst).
fn waited_for_cpu(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/schedstat")).unwrap_or_default();
    Duration::from_nanos(text.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// The CPU time of the slowest frame, from the log that the tool writes at its end.
fn slowest_frame_us(log: &str) -> Result<f64> {
    let frames = log.lines().find_map(|line| line.split_once("frames drawn: "));
    let slowest = frames.and_then(|(_, frames)| frames.split(", ").last()?.strip_suffix(" us at most")?.parse().ok());
    slowest.with_context(|| format!("the log has no time of the slowest frame: {log}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slowest_frame_is_read_from_the_log() {
        let log = "[time DEBUG] snapshots arranged: 9, 80 us each, 99 us at most; \
                   frames drawn: 30, 700 us each, 1900 us at most\n";
        assert!((slowest_frame_us(log).unwrap() - 1900.0).abs() < 1e-9);
        assert!(slowest_frame_us("").is_err());
    }

    #[test]
    fn display_is_frozen_once_and_continues() {
        let freezes: Vec<bool> = steps().filter(|(_, text, _)| *text == "FROZEN").map(|(.., comes)| comes).collect();
        assert_eq!((freezes, steps().count()), (vec![true, false], KEYS));
    }
}
