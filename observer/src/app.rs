//! One watch, from its options to its summary: the only file that knows both the kernel and the views.

use std::time::Duration;

use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use crate::{
    cli,
    clock::Clock,
    decode::{self, decode},
    diagnostics,
    event::{About, Event, RowKind},
    helper::Runtimes,
    kernel::{self, HookSet, Kernel, KernelLog, Plan},
    recording::{Recorder, RecordingFile},
    screen::{Ending, FLUSH_RETRY, Screen, closed},
    signals::Signals,
    summary_file::SummaryFile,
    tracker::{Notice, Snapshot, Tracker},
};

/// How often counters are read while nobody asks: often enough to clear away what is over.
const TICK: Duration = Duration::from_secs(1);

/// Events taken from the ring before signals and ticks get their turn.
const BATCH: usize = 1024;

pub(crate) fn run(options: &cli::Watch) -> anyhow::Result<()> {
    diagnostics::open(options.verbose, options.log_file.as_deref())?;
    let summary_file = options.summary.as_deref().map(SummaryFile::create).transpose()?;
    let recording = options.record.as_deref().map(RecordingFile::create).transpose()?;
    // A fork wants a process without threads, and with all its privileges.
    let runtimes = Runtimes::start();
    runtime()?.block_on(watch(options, summary_file, recording, runtimes))
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the event loop")
}

async fn watch(
    options: &cli::Watch,
    summary_file: Option<SummaryFile>,
    recording: Option<RecordingFile>,
    runtimes: Runtimes,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let ports = options.ports.iter().map(ToString::to_string).collect();
    let mut watch = Watch::start(&plan(options), ports, recording)?;
    watch.kernel.runtimes = runtimes;
    // It starts threads, which must not have the privileges that attaching needed.
    let mut screen = Screen::new(options.output);
    if let Some(screen) = &mut screen {
        screen.start(&watch.about);
        screen.notices(watch.about.started_unix_ns, &watch.notices);
        screen.output.flush();
    }
    watch.kernel.settle();
    let deadline = options.duration.map(|duration| Instant::now() + duration);
    let ending = watch.run(&mut signals, deadline, screen.as_mut()).await?;
    signals.quit_on_next();
    let snapshot = watch.end(screen.as_mut())?;
    watch.end_recording(screen.as_mut()).await;
    if let Some(file) = summary_file {
        file.write(&watch.about, &snapshot)?;
    }
    ending.conclude(screen, &watch.about, &snapshot).await
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
        rows: options.output != cli::Output::None || options.record.is_some() || options.summary.is_some(),
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
    pub(crate) about: About,
    /// What the start gave occasion to say.
    notices: Vec<Notice>,
    /// When everything was detached.
    ended_unix_ns: i64,
}

impl Watch {
    /// Attaches, and gives up the privileges for it. From here on everything counts. Must be called within a tokio
    /// runtime, before other threads are started.
    pub(crate) fn start(plan: &Plan, ports: Vec<String>, recording: Option<RecordingFile>) -> anyhow::Result<Self> {
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
            ports,
            started_unix_ns,
        };
        let mut recorder = recording.map(|file| Recorder::start(file, &about, plan.max_connections));
        if let Some(recorder) = &mut recorder {
            recorder.sample(started_unix_ns, &first);
        }
        let notices = tracker.sample(first);
        Ok(Self { clock, kernel, tracker, recorder, about, notices, ended_unix_ns: started_unix_ns })
    }

    /// Until something ends it.
    async fn run(
        &mut self,
        signals: &mut Signals,
        deadline: Option<Instant>,
        mut screen: Option<&mut Screen>,
    ) -> anyhow::Result<Ending> {
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Self { clock, kernel, tracker, recorder, .. } = self;
            let is_waiting = screen.as_ref().is_some_and(|screen| screen.output.is_waiting());
            tokio::select! {
                biased;
                () = signals.next() => return Ok(Ending::Asked),
                () = until(deadline) => return Ok(Ending::Asked),
                ending = closed(screen.as_deref_mut()) => return Ok(ending),
                _ = ticks.tick() => self.sample(screen.as_deref_mut(), false)?,
                () = pass_on(&mut kernel.log) => {}
                () = sleep(FLUSH_RETRY), if is_waiting => {}
                ready = kernel.ring.readable_mut() => {
                    let mut ready = ready.context("cannot wait for events")?;
                    let (runtimes, screen) = (&mut kernel.runtimes, screen.as_deref_mut());
                    let mut readers = Readers { runtimes, tracker, recorder: recorder.as_mut(), screen };
                    if drain(ready.get_inner_mut(), |record| readers.take(record, *clock)) {
                        ready.clear_ready();
                    }
                }
            }
            if let Some(screen) = &mut screen {
                screen.output.flush();
            }
        }
    }

    /// Reads every counter, for all who want to know; `last`: as of the end.
    fn sample(&mut self, screen: Option<&mut Screen>, last: bool) -> anyhow::Result<()> {
        let mut sample = self.kernel.sample(last)?;
        let unix_ns = if last { self.ended_unix_ns } else { self.clock.now_unix_ns() };
        sample.loss.rows += screen.as_ref().map_or(0, |screen| screen.output.lost_rows());
        let mut notices = Vec::new();
        if let Some(recorder) = &mut self.recorder {
            sample.loss.rows += recorder.lost_events();
            recorder.sample(unix_ns, &sample);
            notices = recorder.notices();
        }
        notices.extend(self.tracker.sample(sample));
        tell(screen, unix_ns, &notices);
        Ok(())
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
        self.sample(screen, true)?;
        Ok(self.tracker.snapshot(self.ended_unix_ns))
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

/// Says it on the screen; without one, and then only of what failed, on stderr.
fn tell(screen: Option<&mut Screen>, unix_ns: i64, notices: &[Notice]) {
    match screen {
        Some(screen) => screen.notices(unix_ns, notices),
        None => {
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

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn pass_on(log: &mut Option<KernelLog>) {
    match log {
        Some(log) => log.pass_on().await,
        None => std::future::pending().await,
    }
}
