//! `tcp-reuse-watch replay`: shows a recorded watch through the same tracker and views. It needs no privileges, and
//! shows only recorded data.

mod read_ahead;

use std::{
    convert::Infallible, fs::File, future::pending, io::BufReader, path::Path, pin::pin, process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{
    cli::{self, Speed},
    exit,
    host::{event_loop::event_loop, panics, signals::Signals},
    output::{
        diagnostics,
        report_files::ReportFiles,
        screen::{Ending, Screen, Target, screen_work},
        summary_file::SummaryFile,
    },
};
use observer_core::{
    Conclusion,
    model::{Event, WatchInfo},
    recording::{Record, Recording},
    tracker::{Notice, Snapshot, Tracker},
    views::diagnosis_notices,
};
use read_ahead::ReadAhead;

/// Why gates are not judged.
const UNFINISHED: &str = "the recording was not replayed to its end";

/// Upper bound of the time at which a record is due. Later times would overflow the clock.
const NEVER: Duration = Duration::from_hours(24 * 365);

pub(crate) fn run(options: &cli::Replay) -> anyhow::Result<ExitCode> {
    diagnostics::open(options.verbose, options.log_file.as_deref())?;
    let recording = open(&options.file)?;
    let summary_file = options.summary.as_deref().map(SummaryFile::create).transpose()?;
    let reports = ReportFiles::open(&options.gates.reports)?;
    event_loop()?.block_on(replay(options, recording, summary_file, reports))
}

fn open(path: &Path) -> anyhow::Result<Recording> {
    let file = File::open(path).with_context(|| format!("cannot read the recording {}", path.display()))?;
    Recording::new(path, BufReader::new(file))
}

async fn replay(
    options: &cli::Replay,
    recording: Recording,
    summary_file: Option<SummaryFile>,
    reports: ReportFiles,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let mut replay = Replay::new(recording, options.speed);
    let mut screen = Screen::start(options.output(), Target::StandardOutput, &replay.about)?;
    let (ending, broken) = replay.run_and_stay(&mut signals, screen.as_mut()).await;
    if let Some(screen) = &mut screen {
        screen.leave();
    }
    signals.quit_on_next();
    let snapshot = replay.snapshot();
    // Whatever fails, the rest is still shown.
    let gates = options.gates.gates();
    let gates = if replay.has_ended { gates.judge(&snapshot) } else { gates.skip(UNFINISHED) };
    let conclusion = Conclusion { gates, ..Conclusion::new(&replay.about, &snapshot) };
    let written = summary_file.map_or(Ok(()), |file| file.write(&conclusion));
    let reported = reports.write(&conclusion);
    let concluded = ending.conclude(screen, &conclusion).await;
    let judged = exit::of_gates(&conclusion);
    exit::all_of([written, reported, concluded, broken.map_or(Ok(()), Err)])?;
    Ok(judged)
}

struct Replay {
    records: ReadAhead,
    schedule: Schedule,
    about: WatchInfo,
    tracker: Tracker,
    /// The time of the last record.
    unix_ns: i64,
    /// Whether the whole recording was played.
    has_ended: bool,
}

impl Replay {
    /// Starts a thread.
    fn new(recording: Recording, speed: Speed) -> Self {
        let about = recording.about();
        let begin_unix_ns = about.started_unix_ns;
        let tracker = Tracker::new(begin_unix_ns, recording.max_connections());
        let schedule = Schedule { begin: Instant::now(), begin_unix_ns, speed };
        Self {
            records: ReadAhead::start(recording),
            schedule,
            about,
            tracker,
            unix_ns: begin_unix_ns,
            has_ended: false,
        }
    }

    /// Runs the replay. A dashboard then stays open until the user quits. The error says why the recording could not be
    /// read to its end.
    async fn run_and_stay(
        &mut self,
        signals: &mut Signals,
        mut screen: Option<&mut Screen>,
    ) -> (Ending, Option<anyhow::Error>) {
        let broken = match self.run(signals, screen.as_deref_mut()).await {
            Ok(()) => None,
            Err(Stop::Ending(ending)) => return (ending, None),
            Err(Stop::Broken(error)) => Some(error),
        };
        if let Some(screen) = screen
            && screen.stay()
        {
            if let Some(error) = &broken {
                screen.notices(self.unix_ns, &[Notice { kind: "replay", message: format!("{error:#}") }]);
            }
            screen.snapshot(self.snapshot());
            let Err(ending) = wait(pending::<Infallible>(), signals, Some(screen)).await;
            return (ending, broken);
        }
        (Ending::Finished, broken)
    }

    /// Plays the recording to its end, unless something stops it.
    async fn run(&mut self, signals: &mut Signals, mut screen: Option<&mut Screen>) -> Result<(), Stop> {
        loop {
            let records = wait(self.records.next(), signals, screen.as_deref_mut()).await?;
            for record in records.map_err(Stop::Broken)? {
                let due = self.schedule.due(record.unix_ns());
                if due > Instant::now() || screen.as_ref().is_some_and(|screen| screen.is_behind()) {
                    wait(pause(due), signals, screen.as_deref_mut()).await?;
                }
                self.unix_ns = self.unix_ns.max(record.unix_ns());
                match record {
                    Record::Event(event) => self.event(event, screen.as_deref_mut()),
                    Record::Sample { unix_ns, sample } => {
                        let notices = self.tracker.sample(sample);
                        // Keys are handled here, because applying and showing thousands of groups both take a while.
                        wait(yield_now(), signals, screen.as_deref_mut()).await?;
                        self.show(unix_ns, notices, screen.as_deref_mut());
                    }
                    Record::End { unix_ns } => {
                        self.unix_ns = unix_ns;
                        self.has_ended = true;
                        return Ok(());
                    }
                }
            }
            wait(yield_now(), signals, screen.as_deref_mut()).await?;
        }
    }

    fn event(&mut self, event: Event, screen: Option<&mut Screen>) {
        let row = self.tracker.apply(event);
        if let Some(screen) = screen {
            screen.row(&row);
        }
    }

    /// Shows the state after a sample, and the notices that it triggered.
    fn show(&mut self, unix_ns: i64, mut notices: Vec<Notice>, screen: Option<&mut Screen>) {
        let snapshot = self.snapshot();
        notices.extend(diagnosis_notices(&self.tracker.new_certainties(&snapshot)));
        if let Some(screen) = screen {
            screen.notices(unix_ns, &notices);
            screen.snapshot(snapshot);
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.tracker.snapshot(self.unix_ns)
    }
}

/// Why a replay stops before the end of its recording.
enum Stop {
    Ending(Ending),
    /// The rest of the recording cannot be read.
    Broken(anyhow::Error),
}

impl From<Ending> for Stop {
    fn from(ending: Ending) -> Self {
        Self::Ending(ending)
    }
}

/// Waits until `ready` completes and standard output keeps up, or until something ends the replay.
async fn wait<T>(
    ready: impl Future<Output = T>,
    signals: &mut Signals,
    mut screen: Option<&mut Screen>,
) -> Result<T, Ending> {
    let mut ready = pin!(ready);
    let mut is_behind = false;
    let mut value = None;
    loop {
        if let Some(screen) = &mut screen {
            screen.flush();
            is_behind = screen.is_behind();
        }
        if let Some(value) = value.take_if(|_| !is_behind) {
            return Ok(value);
        }
        tokio::select! {
            biased;
            _ = signals.next() => return Err(Ending::Asked),
            () = panics::occurred() => return Err(Ending::of_panic()),
            ending = screen_work(screen.as_deref_mut()) => if let Some(ending) = ending {
                return Err(ending);
            },
            done = &mut ready, if value.is_none() => value = Some(done),
        }
    }
}

/// Sleeps until `until`. Yields to other tasks even if that time has passed.
async fn pause(until: Instant) {
    if until > Instant::now() {
        sleep_until(until).await;
    } else {
        yield_now().await;
    }
}

/// When records are due, at the speed of the replay.
struct Schedule {
    begin: Instant,
    begin_unix_ns: i64,
    speed: Speed,
}

impl Schedule {
    fn due(&self, unix_ns: i64) -> Instant {
        let Speed::Times(times) = self.speed else { return self.begin };
        let seconds = (unix_ns - self.begin_unix_ns).max(0) as f64 / 1e9 / times;
        self.begin + Duration::try_from_secs_f64(seconds).map_or(NEVER, |time| time.min(NEVER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_due_at_their_time_divided_by_the_speed() {
        let schedule = |speed| Schedule { begin: Instant::now(), begin_unix_ns: 5_000_000_000, speed };
        let after = |speed, unix_ns| {
            let schedule = schedule(speed);
            schedule.due(unix_ns) - schedule.begin
        };
        assert_eq!(after(Speed::Times(1.0), 7_000_000_000), Duration::from_secs(2));
        assert_eq!(after(Speed::Times(10.0), 7_000_000_000), Duration::from_millis(200));
        assert_eq!(after(Speed::Times(0.5), 7_000_000_000), Duration::from_secs(4));
        assert_eq!(after(Speed::Times(1.0), 1), Duration::ZERO);
        assert_eq!(after(Speed::Times(1e-300), i64::MAX), NEVER);
        assert_eq!(after(Speed::Max, i64::MAX), Duration::ZERO);
    }
}
