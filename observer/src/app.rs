//! One watch, from its options to its summary: the only file that knows both the kernel and the views.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use crate::{
    cli,
    clock::Clock,
    decode::{self, decode},
    diagnostics,
    event::{About, Event, RowKind, Sample},
    kernel::{self, HookSet, Kernel, KernelLog, Plan},
    output::Output,
    signals::Signals,
    tracker::{Notice, Row, Snapshot, Tracker},
    view::{JsonView, LinesView, View},
};

/// How often counters are read while nobody asks: often enough to clear away what is over.
const TICK: Duration = Duration::from_secs(1);

/// Events taken from the ring before signals and ticks get their turn.
const BATCH: usize = 1024;

/// How soon a standard output that was busy is tried again.
const FLUSH_RETRY: Duration = Duration::from_millis(20);

/// What ends a watch.
enum Ending {
    /// A signal, or its time is over.
    Asked,
    /// Nobody reads standard output any more.
    OutputClosed,
    /// Standard output cannot be written to.
    OutputFailed(io::Error),
}

pub(crate) fn run(options: &cli::Watch) -> anyhow::Result<()> {
    diagnostics::open(options.verbose, options.log_file.as_deref())?;
    let summary_file = options.summary.as_deref().map(SummaryFile::create).transpose()?;
    runtime()?.block_on(watch(options, summary_file))
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the event loop")
}

async fn watch(options: &cli::Watch, summary_file: Option<SummaryFile>) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let mut watch = Watch::start(&plan(options), options.ports.iter().map(ToString::to_string).collect())?;
    // It starts threads, which must not have the privileges that attaching needed.
    let mut screen = Screen::new(options.output);
    if let Some(screen) = &mut screen {
        screen.start(&watch);
    }
    watch.kernel.settle();
    let deadline = options.duration.map(|duration| Instant::now() + duration);
    let ending = watch.run(&mut signals, deadline, screen.as_mut()).await?;
    signals.quit_on_next();
    let snapshot = watch.end(screen.as_mut())?;
    if let Some(file) = summary_file {
        file.write(&JsonView.summary(&watch.about, &snapshot))?;
    }
    match (ending, screen) {
        (Ending::OutputFailed(error), _) => Err(error).context("cannot write to standard output"),
        (Ending::Asked, Some(screen)) => screen.finish(&watch.about, &snapshot).await,
        (Ending::OutputClosed, _) | (_, None) => Ok(()),
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
        rows: options.output != cli::Output::None,
        exchange_rows: options.exchanges,
        diagnostics: diagnostics::enabled(),
    }
}

/// A view, and where it goes.
struct Screen {
    view: Box<dyn View>,
    output: Output,
}

impl Screen {
    fn new(output: cli::Output) -> Option<Self> {
        let view: Box<dyn View> = match output {
            cli::Output::Lines => Box::new(LinesView),
            cli::Output::Json => Box::new(JsonView),
            cli::Output::None => return None,
        };
        Some(Self { view, output: Output::new() })
    }

    fn start(&mut self, watch: &Watch) {
        self.output.text(&self.view.start(&watch.about));
        if !watch.kernel.hooks.sockops {
            let message = "without sockops, the kernel may skip events: 'complete' says whether it did";
            self.output.text(&self.view.notice(watch.about.started_unix_ns, "hooks", message));
        }
        self.notices(watch.about.started_unix_ns, &watch.notices);
        self.output.flush();
    }

    fn notices(&mut self, unix_ns: i64, notices: &[Notice]) {
        for Notice { kind, message } in notices {
            self.output.text(&self.view.notice(unix_ns, kind, message));
        }
    }

    fn row(&mut self, row: &Row) {
        self.output.row(&self.view.row(row));
    }

    async fn finish(mut self, about: &About, snapshot: &Snapshot) -> anyhow::Result<()> {
        self.output.text(&self.view.summary(about, snapshot));
        anyhow::ensure!(self.output.finish().await, "standard output did not take the summary");
        Ok(())
    }
}

/// A watch that is attached.
pub(crate) struct Watch {
    clock: Clock,
    kernel: Kernel,
    tracker: Tracker,
    pub(crate) about: About,
    /// What the start gave occasion to say.
    notices: Vec<Notice>,
}

impl Watch {
    /// Attaches, and gives up the privileges for it. From here on everything counts. Must be called within a tokio
    /// runtime, before other threads are started.
    pub(crate) fn start(plan: &Plan, ports: Vec<String>) -> anyhow::Result<Self> {
        let clock = Clock::new();
        let mut kernel = Kernel::attach(plan)?;
        let started_unix_ns = clock.now_unix_ns();
        let mut tracker = Tracker::new(started_unix_ns, plan.max_connections as usize);
        let notices = tracker.sample(kernel.sample(false)?);
        let pre_existing = tracker.snapshot(started_unix_ns).totals.pre_existing;
        let about = About {
            pre_existing,
            hooks: kernel.hooks.names(),
            not_taken: kernel.remarks.clone(),
            kernel: kernel::release(),
            ports,
            started_unix_ns,
        };
        Ok(Self { clock, kernel, tracker, about, notices })
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
            let Self { clock, kernel, tracker, .. } = self;
            let is_waiting = screen.as_ref().is_some_and(|screen| screen.output.is_waiting());
            tokio::select! {
                biased;
                () = signals.next() => return Ok(Ending::Asked),
                () = until(deadline) => return Ok(Ending::Asked),
                closed = closed(screen.as_deref_mut()) => {
                    return Ok(closed.map_or_else(Ending::OutputFailed, |()| Ending::OutputClosed));
                }
                _ = ticks.tick() => {
                    let notices = tracker.sample(sample(kernel, screen.as_deref(), false)?);
                    if let Some(screen) = &mut screen {
                        screen.notices(clock.now_unix_ns(), &notices);
                    }
                }
                () = pass_on(&mut kernel.log) => {}
                () = sleep(FLUSH_RETRY), if is_waiting => {}
                ready = kernel.ring.readable_mut() => {
                    let mut ready = ready.context("cannot wait for events")?;
                    if drain(ready.get_inner_mut(), |record| show(record, *clock, tracker, screen.as_deref_mut())) {
                        ready.clear_ready();
                    }
                }
            }
            if let Some(screen) = &mut screen {
                screen.output.flush();
            }
        }
    }

    /// Detaches, takes in what is left, and gives the last of the numbers.
    fn end(&mut self, mut screen: Option<&mut Screen>) -> anyhow::Result<Snapshot> {
        let Self { clock, kernel, tracker, .. } = self;
        kernel.detach();
        let now_unix_ns = clock.now_unix_ns();
        while !drain(kernel.ring.get_mut(), |record| show(record, *clock, tracker, screen.as_deref_mut())) {}
        if screen.is_some() {
            for mut connection in kernel.counters.closed_connections() {
                connection.row_ns = connection.ended_ns;
                let event = decode::event(RowKind::Close, &connection, *clock);
                show_event(event, tracker, screen.as_deref_mut());
            }
        }
        let notices = tracker.sample(sample(kernel, screen.as_deref(), true)?);
        if let Some(screen) = &mut screen {
            screen.notices(now_unix_ns, &notices);
        }
        Ok(tracker.snapshot(now_unix_ns))
    }

    /// Detaches, and gives what was counted.
    pub(crate) fn finish(mut self) -> anyhow::Result<Snapshot> {
        self.end(None)
    }
}

fn sample(kernel: &mut Kernel, screen: Option<&Screen>, last: bool) -> anyhow::Result<Sample> {
    let mut sample = kernel.sample(last)?;
    sample.loss.rows += screen.map_or(0, |screen| screen.output.lost_rows());
    Ok(sample)
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

/// One record on its way to a person.
fn show(record: &[u8], clock: Clock, tracker: &mut Tracker, screen: Option<&mut Screen>) {
    match decode(record, clock) {
        Ok(event) => show_event(event, tracker, screen),
        Err(malformed) => log::warn!("{malformed}"),
    }
}

fn show_event(event: Event, tracker: &mut Tracker, screen: Option<&mut Screen>) {
    let row = tracker.apply(event);
    if let Some(screen) = screen {
        screen.row(&row);
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn closed(screen: Option<&mut Screen>) -> io::Result<()> {
    match screen {
        Some(screen) => screen.output.closed().await,
        None => std::future::pending().await,
    }
}

async fn pass_on(log: &mut Option<KernelLog>) {
    match log {
        Some(log) => log.pass_on().await,
        None => std::future::pending().await,
    }
}

/// Where `--summary` goes; opened before anything is attached.
struct SummaryFile {
    file: File,
    path: PathBuf,
}

impl SummaryFile {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write the summary to {}", path.display()))?;
        Ok(Self { file, path: path.into() })
    }

    fn write(mut self, summary: &str) -> anyhow::Result<()> {
        self.file
            .write_all(summary.as_bytes())
            .with_context(|| format!("cannot write the summary to {}", self.path.display()))
    }
}
