//! `tcp-reuse-watch replay`: a watch that was recorded, through the same tracker and the same views. It needs no
//! privileges, and nothing of what it shows is from this machine.

use std::time::Duration;

use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{
    app,
    cli::{self, Speed},
    event::About,
    recording::{Record, Recording},
    screen::{Ending, FLUSH_RETRY, Screen, closed},
    signals::Signals,
    summary_file::SummaryFile,
    tracker::{Snapshot, Tracker},
};

/// Records without a pause before signals get their turn.
const BATCH: usize = 1024;

/// Stands for times that the clock cannot reach.
const NEVER: Duration = Duration::from_hours(24 * 365);

pub(crate) fn run(options: &cli::Replay) -> anyhow::Result<()> {
    let recording = Recording::open(&options.file)?;
    let summary_file = options.summary.as_deref().map(SummaryFile::create).transpose()?;
    app::runtime()?.block_on(replay(options, recording, summary_file))
}

async fn replay(options: &cli::Replay, recording: Recording, summary_file: Option<SummaryFile>) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let mut screen = Screen::new(options.output);
    let mut replay = Replay::new(recording, options.speed);
    if let Some(screen) = &mut screen {
        screen.start(&replay.about);
    }
    let (ending, broken) = match replay.run(&mut signals, screen.as_mut()).await {
        Ok(ending) => (ending, None),
        Err(error) => (Ending::Asked, Some(error)),
    };
    signals.quit_on_next();
    let snapshot = replay.snapshot();
    if let Some(file) = summary_file {
        file.write(&replay.about, &snapshot)?;
    }
    ending.conclude(screen, &replay.about, &snapshot).await?;
    broken.map_or(Ok(()), Err)
}

struct Replay {
    recording: Recording,
    pace: Pace,
    about: About,
    tracker: Tracker,
    /// How far it has come.
    unix_ns: i64,
}

impl Replay {
    fn new(recording: Recording, speed: Speed) -> Self {
        let about = recording.about();
        let begin_unix_ns = about.started_unix_ns;
        let tracker = Tracker::new(begin_unix_ns, recording.max_connections());
        let pace = Pace { begin: Instant::now(), begin_unix_ns, speed };
        Self { recording, pace, about, tracker, unix_ns: begin_unix_ns }
    }

    /// To the end of the recording, unless something ends it before. An error: the recording goes on no further.
    async fn run(&mut self, signals: &mut Signals, mut screen: Option<&mut Screen>) -> anyhow::Result<Ending> {
        loop {
            for _ in 0..BATCH {
                let record = self.recording.next()?;
                let due = self.pace.due(record.unix_ns());
                let is_behind = screen.as_ref().is_some_and(|screen| screen.output.is_behind());
                if (due > Instant::now() || is_behind)
                    && let Some(ending) = wait(due, signals, screen.as_deref_mut()).await
                {
                    return Ok(ending);
                }
                if self.apply(record, screen.as_deref_mut()) {
                    return Ok(Ending::Asked);
                }
            }
            if let Some(ending) = wait(Instant::now(), signals, screen.as_deref_mut()).await {
                return Ok(ending);
            }
        }
    }

    /// True when it was the end.
    fn apply(&mut self, record: Record, screen: Option<&mut Screen>) -> bool {
        self.unix_ns = self.unix_ns.max(record.unix_ns());
        match record {
            Record::Event(event) => {
                let row = self.tracker.apply(event);
                if let Some(screen) = screen {
                    screen.row(&row);
                }
            }
            Record::Sample { unix_ns, sample } => {
                let notices = self.tracker.sample(sample);
                if let Some(screen) = screen {
                    screen.notices(unix_ns, &notices);
                }
            }
            Record::End { unix_ns } => {
                self.unix_ns = unix_ns;
                return true;
            }
        }
        false
    }

    fn snapshot(&self) -> Snapshot {
        self.tracker.snapshot(self.unix_ns)
    }
}

/// Until `due`, and until standard output keeps up; or until something ends the replay.
async fn wait(due: Instant, signals: &mut Signals, mut screen: Option<&mut Screen>) -> Option<Ending> {
    loop {
        let (mut is_waiting, mut is_behind) = (false, false);
        if let Some(screen) = &mut screen {
            screen.output.flush();
            (is_waiting, is_behind) = (screen.output.is_waiting(), screen.output.is_behind());
        }
        let retry = Instant::now() + FLUSH_RETRY;
        let until = if is_behind || is_waiting && due > retry { retry } else { due };
        tokio::select! {
            biased;
            () = signals.next() => return Some(Ending::Asked),
            ending = closed(screen.as_deref_mut()) => return Some(ending),
            () = pause(until) => {}
        }
        if !is_behind && Instant::now() >= due {
            return None;
        }
    }
}

/// Gives others their turn, also when there is nothing to wait for.
async fn pause(until: Instant) {
    if until > Instant::now() {
        sleep_until(until).await;
    } else {
        yield_now().await;
    }
}

/// When a record is due.
struct Pace {
    begin: Instant,
    begin_unix_ns: i64,
    speed: Speed,
}

impl Pace {
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
    fn records_are_due_when_they_came_as_fast_as_asked() {
        let pace = |speed| Pace { begin: Instant::now(), begin_unix_ns: 5_000_000_000, speed };
        let after = |speed, unix_ns| {
            let pace = pace(speed);
            pace.due(unix_ns) - pace.begin
        };
        assert_eq!(after(Speed::Times(1.0), 7_000_000_000), Duration::from_secs(2));
        assert_eq!(after(Speed::Times(10.0), 7_000_000_000), Duration::from_millis(200));
        assert_eq!(after(Speed::Times(0.5), 7_000_000_000), Duration::from_secs(4));
        assert_eq!(after(Speed::Times(1.0), 1), Duration::ZERO);
        assert_eq!(after(Speed::Times(1e-300), i64::MAX), NEVER);
        assert_eq!(after(Speed::Max, i64::MAX), Duration::ZERO);
    }
}
