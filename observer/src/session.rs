//! A watch that is attached: it moves events and samples from the kernel to the tracker, the recording, the metrics and
//! the screen. Only here do the kernel and the views meet.

mod attribution;
mod descendants;
mod ring;
mod sinks;
mod stop;

use std::{future::pending, mem, time::Duration};

use anyhow::Context as _;
use observer_core::{
    decode,
    model::{RowKind, Sample, WatchInfo},
    series::Losses,
    tracker::{Notice, Snapshot, Tracker},
    views::{diagnosis_notices, hook_notice},
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    exit,
    exporter::{Endpoint, Exporter},
    helper::Runtimes,
    host::{
        clock::{Clock, CpuTimer},
        confinement::{Purpose, confine},
        namespaces::why_processes_are_unknown,
        panics,
        throttle::Throttle,
    },
    kernel::{self, Kernel, KernelLog, WatchConfig},
    output::{
        recorder::{Recorder, RecordingFile},
        screen::{Ending, Screen, screen_work},
    },
};
use attribution::Attribution;
use sinks::Sinks;
pub(crate) use stop::{Stop, Supervised};

/// How often counters are read without a dashboard: often enough to free the groups of ended processes.
const TICK: Duration = Duration::from_secs(1);

/// How often counters are read for a dashboard.
const LIVE_TICK: Duration = Duration::from_millis(250);

/// Idle time after a sample, as a multiple of its cost: 20 means at most 5 % of a CPU.
const IDLE_FACTOR: u32 = 20;

/// Pause after the ring buffer has been emptied. The first row of a burst is shown at once and the others together,
/// because a wake-up for each row would take CPU time from a program that opens connections one by one.
const DRAIN_INTERVAL: Duration = Duration::from_millis(40);

/// Checks for open connections of an ended command, and the pause between two: a second in all.
const SETTLE_LOOKS: u32 = 20;
const SETTLE_INTERVAL: Duration = Duration::from_millis(50);

pub(crate) struct Session {
    clock: Clock,
    kernel: Kernel,
    attribution: Attribution,
    tracker: Tracker,
    recorder: Option<Recorder>,
    exporter: Option<Exporter>,
    pub(crate) about: WatchInfo,
    /// Notices from start-up, shown once there is a screen.
    notices: Vec<Notice>,
    /// When the programs were detached.
    ended_unix_ns: i64,
}

impl Session {
    /// Attaches the programs, then gives up what attaching needed. Counting starts here. Must run within a tokio runtime
    /// and before other threads are started. `about` carries what `config` lacks: the filters in the
    /// words shown to the user.
    pub(crate) fn start(
        config: &WatchConfig,
        purpose: Purpose,
        about: WatchInfo,
        recording: Option<RecordingFile>,
        metrics: Option<Endpoint>,
        runtimes: Runtimes,
    ) -> anyhow::Result<Self> {
        let clock = Clock::new();
        let mut kernel = Kernel::attach(config)?;
        let unrestricted = confine(purpose, || kernel.is_readable())?;
        let mut attribution = Attribution::new(runtimes);
        let started_unix_ns = clock.now_unix_ns();
        let mut tracker = Tracker::new(started_unix_ns, config.max_connections as usize);
        let mut first = kernel.sample(false)?;
        attribution.fill_in(&mut first, false);
        let about = WatchInfo {
            pre_existing: first.groups.iter().map(|group| group.counters.pre_existing).sum(),
            hooks: kernel.hooks.names().into_iter().map(Into::into).collect(),
            hooks_not_taken: kernel.remarks.clone(),
            kernel: kernel::release(),
            started_unix_ns,
            ..about
        };
        let mut recorder = recording.map(|file| Recorder::start(file, &about, config.max_connections));
        if let Some(recorder) = &mut recorder {
            recorder.sample(started_unix_ns, &first);
        }
        let mut exporter = metrics.map(|metrics| metrics.serve(&about)).transpose()?;
        let mut notices = Vec::from_iter(notice_of_namespace());
        notices.extend(unrestricted.iter().map(|error| Notice { kind: CONFINEMENT, message: format!("{error:#}") }));
        if let Some(exporter) = &mut exporter {
            exporter.sample(started_unix_ns, &first, losses(&first, 0, 0), kernel.programs.clone());
            let message = format!("metrics are served at {}", exporter.place);
            log::info!("{message}");
            notices.push(Notice { kind: "metrics", message });
        }
        notices.extend(tracker.sample(first));
        Ok(Self {
            clock,
            kernel,
            attribution,
            tracker,
            recorder,
            exporter,
            about,
            notices,
            ended_unix_ns: started_unix_ns,
        })
    }

    /// Shows the notices from start-up.
    pub(crate) fn notify_of_start(&mut self, mut screen: Option<&mut Screen>) {
        notify(screen.as_deref_mut(), self.about.started_unix_ns, &mem::take(&mut self.notices));
        match screen {
            Some(screen) => screen.flush(),
            // For the journal of a daemon. Screens show it themselves.
            None => {
                if let Some(notice) = hook_notice(&self.about) {
                    exit::print(&format!("notice: {}\n", notice.message));
                }
            }
        }
    }

    /// Runs until something ends the watch. A command is waited for, even if nothing more can be watched or shown.
    pub(crate) async fn run(&mut self, stop: &mut Stop, screen: Option<&mut Screen>) -> Ending {
        let ending = self.run_until_it_ends(stop, screen).await;
        if stop.has_running_command()
            && let Ending::Failed(error) = &ending
        {
            exit::print(&format!("warning: the command goes on, but is not watched any more: {error:#}\n"));
            stop.next(|| false).await;
        }
        ending
    }

    async fn run_until_it_ends(&mut self, stop: &mut Stop, mut screen: Option<&mut Screen>) -> Ending {
        let mut asked = Ending::Asked;
        let is_live = screen.as_ref().is_some_and(|screen| screen.is_live());
        let tick = if is_live { LIVE_TICK } else { TICK };
        let mut samples = Throttle::new(IDLE_FACTOR, tick);
        if !is_live {
            // The start has read every counter already.
            samples.ran(Duration::ZERO);
        }
        let mut next_drain = Instant::now();
        // A sample that is not shown yet. Sampling and showing thousands of groups both take a while, so keys are
        // handled in between.
        let mut unshown = None;
        loop {
            tokio::select! {
                biased;
                () = stop.next(|| descendants::is_any_running(&self.kernel.lineage)) => return asked,
                () = panics::occurred() => return Ending::of_panic(),
                ending = screen_work(screen.as_deref_mut()) => match ending {
                    Some(ending @ (Ending::OutputClosed | Ending::OutputFailed(_))) if stop.command.is_some() => {
                        (screen, asked) = (None, ending);
                    }
                    Some(ending) => return ending,
                    None => {}
                },
                (unix_ns, took) = some_or_pending(unshown) => {
                    unshown = None;
                    let timer = CpuTimer::start();
                    if let Some(screen) = screen.as_deref_mut() {
                        self.show(screen, unix_ns);
                    }
                    samples.ran(took + timer.elapsed());
                }
                () = sleep_until(samples.next().into()) => {
                    let timer = CpuTimer::start();
                    let unix_ns = match self.sample(screen.as_deref_mut(), false) {
                        Ok(unix_ns) => unix_ns,
                        Err(error) => return Ending::Failed(error),
                    };
                    unshown = Some((unix_ns, timer.elapsed()));
                }
                () = forward_log(&mut self.kernel.log) => {}
                ready = ring::readable(&mut self.kernel.ring, next_drain) => {
                    let mut ready = match ready.context("cannot wait for events") {
                        Ok(ready) => ready,
                        Err(error) => return Ending::Failed(error),
                    };
                    let mut sinks = Sinks {
                        runtimes: &mut self.attribution.runtimes,
                        tracker: &mut self.tracker,
                        recorder: self.recorder.as_mut(),
                        screen: screen.as_deref_mut(),
                    };
                    if ring::drain(ready.get_inner_mut(), |record| sinks.record(record, self.clock.base)) {
                        ready.clear_ready();
                        next_drain = Instant::now() + DRAIN_INTERVAL;
                    }
                }
            }
            if let Some(screen) = &mut screen {
                screen.flush();
            }
        }
    }

    /// Reads every counter for the tracker, the recording and the metrics, and returns the time of the sample. `last`:
    /// the programs are detached, and the sample is as of that moment.
    fn sample(&mut self, screen: Option<&mut Screen>, last: bool) -> anyhow::Result<i64> {
        let mut sample = self.kernel.sample(last)?;
        self.attribution.fill_in(&mut sample, last);
        let unix_ns = if last { self.ended_unix_ns } else { self.clock.now_unix_ns() };
        let output_rows = screen.as_ref().map_or(0, |screen| screen.lost_rows());
        let recording_rows = self.recorder.as_ref().map_or(0, Recorder::lost_events);
        sample.loss.rows += output_rows + recording_rows;
        let mut notices = Vec::new();
        if self.attribution.runtimes.has_just_died() {
            let message = "the helper has died: the runtimes of further processes stay unknown".to_string();
            log::warn!("{message}");
            notices.push(Notice { kind: "runtimes", message });
        }
        if let Some(exporter) = &mut self.exporter {
            exporter.sample(
                unix_ns,
                &sample,
                losses(&sample, output_rows, recording_rows),
                self.kernel.programs.clone(),
            );
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.sample(unix_ns, &sample);
            notices.extend(recorder.notices());
        }
        notices.extend(self.tracker.sample(sample));
        notify(screen, unix_ns, &notices);
        Ok(unix_ns)
    }

    /// The tracker's state as of the last sample. Reports diagnoses that have become certain.
    fn snapshot(&mut self, screen: Option<&mut Screen>, unix_ns: i64) -> Snapshot {
        let snapshot = self.tracker.snapshot(unix_ns);
        notify(screen, unix_ns, &diagnosis_notices(&self.tracker.new_certainties(&snapshot)));
        snapshot
    }

    /// Shows the last sample, and the current activity of the connections on the screen.
    fn show(&mut self, screen: &mut Screen, unix_ns: i64) {
        let snapshot = self.snapshot(Some(screen), unix_ns);
        screen.snapshot(snapshot);
        for query in screen.activity_queries() {
            let connection = self.kernel.counters.connection(query.key);
            let activity = connection.map(|connection| decode::activity(&connection, self.clock.base));
            screen.activity(&query, activity);
        }
    }

    /// Waits a moment for the connections of an ended command to close, because their peers have to answer.
    pub(crate) async fn settle(&mut self) {
        for _ in 0..SETTLE_LOOKS {
            let Ok(unix_ns) = self.sample(None, false) else { return };
            if self.tracker.snapshot(unix_ns).totals.open() == 0 {
                return;
            }
            sleep(SETTLE_INTERVAL).await;
        }
    }

    /// Names the processes of a command that still run, and are watched no more.
    pub(crate) fn notify_of_descendants(&mut self, screen: Option<&mut Screen>) {
        notify(screen, self.clock.now_unix_ns(), descendants::notice(&self.kernel.lineage).as_slice());
    }

    /// Detaches, drains the ring buffer and returns the final numbers. If the counters cannot be read any more, the numbers
    /// are those of the last sample, marked as incomplete, and the error says why.
    pub(crate) fn end(&mut self, mut screen: Option<&mut Screen>) -> (Snapshot, anyhow::Result<()>) {
        self.kernel.detach();
        self.ended_unix_ns = self.clock.now_unix_ns();
        let mut sinks = Sinks {
            runtimes: &mut self.attribution.runtimes,
            tracker: &mut self.tracker,
            recorder: self.recorder.as_mut(),
            screen: screen.as_deref_mut(),
        };
        let base = self.clock.base;
        while !ring::drain(self.kernel.ring.get_mut(), |record| sinks.record(record, base)) {}
        if sinks.want_rows() {
            for mut connection in self.kernel.counters.closed_connections() {
                connection.row_ns = connection.ended_ns;
                sinks.event(decode::event(RowKind::Close, &connection, base));
            }
        }
        let sampled = self.sample(screen.as_deref_mut(), true).map(drop);
        if sampled.is_err() {
            self.tracker.lose_counts();
            if let Some(recorder) = &mut self.recorder {
                recorder.lose_counts(self.ended_unix_ns);
            }
        }
        (self.snapshot(screen, self.ended_unix_ns), sampled)
    }

    /// Writes the end of the recording, if there is one.
    pub(crate) async fn end_recording(&mut self, screen: Option<&mut Screen>) {
        let Some(recorder) = self.recorder.take() else { return };
        let notices = recorder.finish(self.ended_unix_ns).await;
        notify(screen, self.ended_unix_ns, &notices);
    }
}

/// The kind of the notice about namespaces.
const NAMESPACE: &str = "namespace";

/// The kind of a notice about what this process should have given up but has not.
const CONFINEMENT: &str = "confinement";

/// Says once what a watch in other namespaces than the machine's cannot tell.
fn notice_of_namespace() -> Option<Notice> {
    let message = format!(
        "{}: which processes have ended, their runtimes, and whose connections were open already stay unknown",
        why_processes_are_unknown()?
    );
    log::warn!("{message}");
    Some(Notice { kind: NAMESPACE, message })
}

/// All losses by place, for the metrics.
fn losses(sample: &Sample, output_rows: u64, recording_rows: u64) -> Losses {
    Losses { sampled: sample.loss, output_rows, recording_rows }
}

/// Shows notices on the screen. Without a screen, or after it is gone, stderr gets those that no summary makes up for.
fn notify(screen: Option<&mut Screen>, unix_ns: i64, notices: &[Notice]) {
    match screen {
        Some(screen) if screen.shows_notices() => screen.notices(unix_ns, notices),
        _ => {
            let kinds = [Recorder::NOTICE, NAMESPACE, CONFINEMENT, descendants::KIND];
            for notice in notices.iter().filter(|notice| kinds.contains(&notice.kind)) {
                exit::print(&format!("notice: {}\n", notice.message));
            }
        }
    }
}

/// Completes at once with a value, never without one.
async fn some_or_pending<T>(value: Option<T>) -> T {
    match value {
        Some(value) => value,
        None => pending().await,
    }
}

async fn forward_log(log: &mut Option<KernelLog>) {
    some_or_pending(log.as_mut()).await.forward().await;
}
