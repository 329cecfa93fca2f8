//! One watch, from its options to its summary: the only file that knows both the kernel and the views.

use std::{future::pending, io, time::Duration};

use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use tokio::{
    io::unix::{AsyncFd, AsyncFdReadyMutGuard},
    time::{Instant, sleep_until},
};

use crate::{
    cli,
    clock::Clock,
    decode::{self, decode},
    diagnostics,
    event::{About, Event, RowKind, Sample},
    event_loop::event_loop,
    exporter::{Endpoint, Exporter},
    helper::Runtimes,
    kernel::{self, HookSet, Kernel, KernelLog, Plan},
    recording::{Recorder, RecordingFile},
    screen::{Ending, Screen, attend},
    series::Lost,
    signals::Signals,
    summary_file::SummaryFile,
    tracker::{Notice, Snapshot, Tracker},
};

/// How often counters are read while nobody looks: often enough to clear away what is over.
const TICK: Duration = Duration::from_secs(1);

/// How often they are read for a dashboard.
const LIVE_TICK: Duration = Duration::from_millis(250);

/// How many times as long as reading them took nothing is read.
const REST: u32 = 20;

/// Events taken from the ring before signals and ticks get their turn.
const BATCH: usize = 1024;

/// How long the ring is left alone once it was empty. The first row of a burst is shown at once, and the others together:
/// each by itself would wake this program, which takes a processor from who opens connections one after the other.
const PAUSE: Duration = Duration::from_millis(40);

pub(crate) fn run(options: &cli::Watch) -> anyhow::Result<()> {
    diagnostics::open(options.verbose, options.log_file.as_deref())?;
    // First: a second watch by the same command line must not empty the files of the first.
    let metrics = Endpoint::bind(&options.metrics)?;
    let summary_file = options.summary.as_deref().map(SummaryFile::create).transpose()?;
    let recording = options.record.as_deref().map(RecordingFile::create).transpose()?;
    // A fork wants a process without threads, and with all its privileges.
    let runtimes = Runtimes::start();
    event_loop()?.block_on(watch(options, summary_file, recording, metrics, runtimes))
}

async fn watch(
    options: &cli::Watch,
    summary_file: Option<SummaryFile>,
    recording: Option<RecordingFile>,
    metrics: Option<Endpoint>,
    runtimes: Runtimes,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let mut watch = Watch::start(&plan(options), said(options), recording, metrics)?;
    watch.kernel.runtimes = runtimes;
    // It starts threads, which must not have the privileges that attaching needed.
    let mut screen = Screen::start(options.output(), &watch.about)?;
    if let Some(screen) = &mut screen {
        screen.notices(watch.about.started_unix_ns, &watch.notices);
        screen.flush();
    }
    let deadline = options.duration.map(|duration| Instant::now() + duration);
    let ending = watch.run(&mut signals, deadline, screen.as_mut()).await;
    if let Some(screen) = &mut screen {
        screen.leave();
    }
    let ending = ending?;
    signals.quit_on_next();
    let snapshot = watch.end(screen.as_mut())?;
    watch.end_recording(screen.as_mut()).await;
    if let Some(file) = summary_file {
        file.write(&watch.about, &snapshot)?;
    }
    ending.conclude(screen, &watch.about, &snapshot).await
}

/// What is watched, as it is said to a person.
fn said(options: &cli::Watch) -> About {
    let destinations = options.destinations.iter().map(|network| format!("to {network}"));
    let pids = options.pids.iter().map(|pid| format!("of pid {pid}"));
    let processes = options.processes.iter().map(|name| format!("of {name}"));
    About {
        ports: options.ports.iter().map(ToString::to_string).collect(),
        filters: destinations.chain(pids).chain(processes).collect(),
        ..About::default()
    }
}

fn plan(options: &cli::Watch) -> Plan {
    let hooks = (!options.hooks.contains(&cli::Hooks::Auto)).then(|| HookSet {
        sockops: options.hooks.contains(&cli::Hooks::Sockops),
        fentry: options.hooks.contains(&cli::Hooks::Fentry),
        kprobe: options.hooks.contains(&cli::Hooks::Kprobe),
        tracepoint: options.hooks.contains(&cli::Hooks::Tracepoint),
    });
    Plan {
        ports: options.ports.iter().map(|ports| (ports.first, ports.last)).collect(),
        destinations: options.destinations.clone(),
        pids: options.pids.clone(),
        processes: options.processes.clone(),
        hooks,
        btf: options.btf.clone(),
        max_connections: options.max_connections,
        ring_bytes: options.ring_size,
        rows: options.output() != cli::Output::None || options.record.is_some() || options.summary.is_some(),
        exchange_rows: options.exchanges,
        diagnostics: diagnostics::enabled(),
    }
}

/// A watch that is attached.
pub(crate) struct Watch {
    clock: Clock,
    kernel: Kernel,
    tracker: Tracker,
    recorder: Option<Recorder>,
    exporter: Option<Exporter>,
    pub(crate) about: About,
    /// What the start gave occasion to say.
    notices: Vec<Notice>,
    /// When everything was detached.
    ended_unix_ns: i64,
}

impl Watch {
    /// Attaches, and gives up the privileges for it. From here on everything counts. Must be called within a tokio
    /// runtime, before other threads are started. `said` is what the plan does not say of what is watched.
    pub(crate) fn start(
        plan: &Plan,
        said: About,
        recording: Option<RecordingFile>,
        metrics: Option<Endpoint>,
    ) -> anyhow::Result<Self> {
        let clock = Clock::new();
        let mut kernel = Kernel::attach(plan)?;
        let started_unix_ns = clock.now_unix_ns();
        let mut tracker = Tracker::new(started_unix_ns, plan.max_connections as usize);
        let first = kernel.sample(false)?;
        let about = About {
            pre_existing: first.groups.iter().map(|group| group.counters.pre_existing).sum(),
            hooks: kernel.hooks.names().into_iter().map(Into::into).collect(),
            not_taken: kernel.remarks.clone(),
            kernel: kernel::release(),
            started_unix_ns,
            ..said
        };
        let mut recorder = recording.map(|file| Recorder::start(file, &about, plan.max_connections));
        if let Some(recorder) = &mut recorder {
            recorder.sample(started_unix_ns, &first);
        }
        let mut exporter = metrics.map(|metrics| metrics.serve(&about)).transpose()?;
        let mut notices = Vec::new();
        if let Some(exporter) = &mut exporter {
            exporter.sample(started_unix_ns, &first, lost(&first, 0, 0), kernel.programs.clone());
            let message = format!("metrics are served at {}", exporter.url());
            log::info!("{message}");
            notices.push(Notice { kind: "metrics", message });
        }
        notices.extend(tracker.sample(first));
        Ok(Self { clock, kernel, tracker, recorder, exporter, about, notices, ended_unix_ns: started_unix_ns })
    }

    /// Until something ends it.
    async fn run(
        &mut self,
        signals: &mut Signals,
        deadline: Option<Instant>,
        mut screen: Option<&mut Screen>,
    ) -> anyhow::Result<Ending> {
        let is_live = screen.as_ref().is_some_and(|screen| screen.is_live());
        let tick = if is_live { LIVE_TICK } else { TICK };
        let mut next_sample = Instant::now() + if is_live { Duration::ZERO } else { TICK };
        let mut next_drain = Instant::now();
        // A sample that is not shown yet: both take a while with thousands of groups, and keys come in between.
        let mut unshown = None;
        loop {
            let Self { clock, kernel, tracker, recorder, .. } = self;
            tokio::select! {
                biased;
                () = signals.next() => return Ok(Ending::Asked),
                () = until(deadline) => return Ok(Ending::Asked),
                ending = attend(screen.as_deref_mut()) => if let Some(ending) = ending {
                    return Ok(ending);
                },
                (unix_ns, took) = some(unshown) => {
                    unshown = None;
                    let began = Instant::now();
                    if let Some(screen) = screen.as_deref_mut() {
                        self.show(screen, unix_ns);
                    }
                    next_sample = Instant::now() + tick.max((took + began.elapsed()) * REST);
                }
                () = sleep_until(next_sample) => {
                    let began = Instant::now();
                    let unix_ns = self.sample(screen.as_deref_mut(), false)?;
                    unshown = Some((unix_ns, began.elapsed()));
                }
                () = pass_on(&mut kernel.log) => {}
                ready = readable(&mut kernel.ring, next_drain) => {
                    let mut ready = ready.context("cannot wait for events")?;
                    let (runtimes, screen) = (&mut kernel.runtimes, screen.as_deref_mut());
                    let mut readers = Readers { runtimes, tracker, recorder: recorder.as_mut(), screen };
                    if drain(ready.get_inner_mut(), |record| readers.take(record, *clock)) {
                        ready.clear_ready();
                        next_drain = Instant::now() + PAUSE;
                    }
                }
            }
            if let Some(screen) = &mut screen {
                screen.flush();
            }
        }
    }

    /// Reads every counter, for all who want to know, and says when that was; `last`: as of the end.
    fn sample(&mut self, screen: Option<&mut Screen>, last: bool) -> anyhow::Result<i64> {
        let mut sample = self.kernel.sample(last)?;
        let unix_ns = if last { self.ended_unix_ns } else { self.clock.now_unix_ns() };
        let output_rows = screen.as_ref().map_or(0, |screen| screen.lost_rows());
        let recording_rows = self.recorder.as_ref().map_or(0, Recorder::lost_events);
        sample.loss.rows += output_rows + recording_rows;
        let mut notices = Vec::new();
        if let Some(exporter) = &mut self.exporter {
            exporter.sample(unix_ns, &sample, lost(&sample, output_rows, recording_rows), self.kernel.programs.clone());
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.sample(unix_ns, &sample);
            notices = recorder.notices();
        }
        notices.extend(self.tracker.sample(sample));
        tell(screen, unix_ns, &notices);
        Ok(unix_ns)
    }

    /// All as of the last sample. Says what is new in it.
    fn snapshot(&mut self, screen: Option<&mut Screen>, unix_ns: i64) -> Snapshot {
        let snapshot = self.tracker.snapshot(unix_ns);
        tell(screen, unix_ns, &self.tracker.news(&snapshot));
        snapshot
    }

    /// Shows all as of the last sample, and what the connections do that are on the screen then.
    fn show(&mut self, screen: &mut Screen, unix_ns: i64) {
        let snapshot = self.snapshot(Some(screen), unix_ns);
        screen.snapshot(snapshot);
        for ask in screen.asks() {
            let connection = self.kernel.counters.connection(ask.key);
            screen.looked_at(&ask, connection.map(|connection| decode::standing(&connection, self.clock)));
        }
    }

    /// Detaches, takes in what is left, and gives the last of the numbers.
    fn end(&mut self, mut screen: Option<&mut Screen>) -> anyhow::Result<Snapshot> {
        let Self { clock, kernel, tracker, recorder, .. } = self;
        kernel.detach();
        self.ended_unix_ns = clock.now_unix_ns();
        let runtimes = &mut kernel.runtimes;
        let mut readers = Readers { runtimes, tracker, recorder: recorder.as_mut(), screen: screen.as_deref_mut() };
        while !drain(kernel.ring.get_mut(), |record| readers.take(record, *clock)) {}
        if readers.are_there() {
            for mut connection in kernel.counters.closed_connections() {
                connection.row_ns = connection.ended_ns;
                readers.show(decode::event(RowKind::Close, &connection, *clock));
            }
        }
        let unix_ns = self.sample(screen.as_deref_mut(), true)?;
        Ok(self.snapshot(screen, unix_ns))
    }

    /// Ends the recording, if there is one, in order.
    async fn end_recording(&mut self, screen: Option<&mut Screen>) {
        let Some(recorder) = self.recorder.take() else { return };
        let notices = recorder.finish(self.ended_unix_ns).await;
        tell(screen, self.ended_unix_ns, &notices);
    }

    /// Detaches, and gives what was counted.
    pub(crate) fn finish(mut self) -> anyhow::Result<Snapshot> {
        self.end(None)
    }
}

/// What was missed, for metrics.
fn lost(sample: &Sample, output_rows: u64, recording_rows: u64) -> Lost {
    Lost { sampled: sample.loss, output_rows, recording_rows }
}

/// Hands up to [`BATCH`] records to `take`, so that signals get their turn in a flood. True when there are no more.
fn drain(ring: &mut RingBuf<MapData>, mut take: impl FnMut(&[u8])) -> bool {
    for _ in 0..BATCH {
        match ring.next() {
            Some(record) => take(&record),
            None => return true,
        }
    }
    false
}

/// Says it on the screen; without one, or when it is over, and then only of what failed, on stderr.
fn tell(screen: Option<&mut Screen>, unix_ns: i64, notices: &[Notice]) {
    match screen {
        Some(screen) if screen.has_notices() => screen.notices(unix_ns, notices),
        _ => {
            for notice in notices.iter().filter(|notice| notice.kind == Recorder::NOTICE) {
                eprintln!("notice: {}", notice.message);
            }
        }
    }
}

/// Who is told of single connections.
struct Readers<'a> {
    runtimes: &'a mut Runtimes,
    tracker: &'a mut Tracker,
    recorder: Option<&'a mut Recorder>,
    screen: Option<&'a mut Screen>,
}

impl Readers<'_> {
    /// Whether anyone is told.
    fn are_there(&self) -> bool {
        self.recorder.is_some() || self.screen.is_some()
    }

    fn take(&mut self, record: &[u8], clock: Clock) {
        match decode(record, clock) {
            Ok(event) => self.show(event),
            Err(malformed) => log::warn!("{malformed}"),
        }
    }

    fn show(&mut self, event: Event) {
        // At the next tick a short-lived one would be gone.
        if event.kind == RowKind::Open
            && let Some(process) = event.process()
        {
            self.runtimes.ask(process);
        }
        let row = self.tracker.apply(event);
        if let Some(recorder) = &mut self.recorder {
            recorder.event(&row);
        }
        if let Some(screen) = &mut self.screen {
            screen.row(&row);
        }
    }
}

/// Waits until there is something in the ring, but not before `when`.
async fn readable(
    ring: &mut AsyncFd<RingBuf<MapData>>,
    when: Instant,
) -> io::Result<AsyncFdReadyMutGuard<'_, RingBuf<MapData>>> {
    sleep_until(when).await;
    ring.readable_mut().await
}

async fn until(deadline: Option<Instant>) {
    sleep_until(some(deadline).await).await;
}

/// At once, if there is one.
async fn some<T>(value: Option<T>) -> T {
    match value {
        Some(value) => value,
        None => pending().await,
    }
}

async fn pass_on(log: &mut Option<KernelLog>) {
    some(log.as_mut()).await.pass_on().await;
}
