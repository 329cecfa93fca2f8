//! One watch, from its options to its summary: the only file that knows both the kernel and the views.

use std::{
    fs::File,
    io::Write as _,
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
    event::{About, RowKind, Sample},
    kernel::{self, HookSet, Kernel, KernelLog, Plan},
    output::Output,
    signals::Signals,
    tracker::{Snapshot, Tracker},
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
    Asked,
    Over,
    /// Nobody reads standard output any more.
    OutputClosed,
}

pub(crate) fn run(options: cli::Watch) -> anyhow::Result<()> {
    diagnostics::open(options.verbose, options.log_file.as_deref())?;
    let summary_file = options.summary.as_deref().map(SummaryFile::create).transpose()?;
    runtime()?.block_on(watch(options, summary_file))
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the event loop")
}

async fn watch(options: cli::Watch, summary_file: Option<SummaryFile>) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let plan = plan(&options);
    let view = view(options.output);
    let mut watch = Watch::start(&plan, options.ports.iter().map(ToString::to_string).collect())?;
    let mut output = Output::new();
    if let Some(view) = &view {
        output.text(&view.start(&watch.about));
        for remark in &watch.kernel.remarks {
            output.text(&view.notice(watch.about.started_unix_ns, "hooks", remark));
        }
        output.flush();
    }
    let deadline = options.duration.map(|duration| Instant::now() + duration);
    let ending = watch.run(&mut signals, deadline, view.as_deref(), &mut output).await?;
    signals.quit_on_next();
    let snapshot = watch.end(view.as_deref(), &mut output)?;
    if let Some(file) = summary_file {
        file.write(&JsonView.summary(&watch.about, &snapshot))?;
    }
    let Some(view) = view else { return Ok(()) };
    if matches!(ending, Ending::OutputClosed) {
        return Ok(());
    }
    output.text(&view.summary(&watch.about, &snapshot));
    anyhow::ensure!(output.finish().await, "standard output did not take the summary");
    Ok(())
}

fn plan(options: &cli::Watch) -> Plan {
    let hooks = (!options.hooks.contains(&cli::Hooks::Auto)).then(|| HookSet {
        sockops: options.hooks.contains(&cli::Hooks::Sockops),
        tracepoint: options.hooks.contains(&cli::Hooks::Tracepoint),
    });
    Plan {
        ports: options.ports.iter().map(|ports| (ports.first, ports.last)).collect(),
        destinations: options.destinations.clone(),
        pids: options.pids.clone(),
        processes: options.processes.clone(),
        hooks,
        max_connections: options.max_connections,
        ring_bytes: options.ring_size,
        rows: options.output != cli::Output::None,
        exchange_rows: options.exchanges,
        diagnostics: diagnostics::enabled(),
    }
}

fn view(output: cli::Output) -> Option<Box<dyn View>> {
    match output {
        cli::Output::Lines => Some(Box::new(LinesView)),
        cli::Output::Json => Some(Box::new(JsonView)),
        cli::Output::None => None,
    }
}

/// A watch that is attached.
pub(crate) struct Watch {
    clock: Clock,
    kernel: Kernel,
    tracker: Tracker,
    about: About,
}

impl Watch {
    /// Attaches. From here on everything counts.
    pub(crate) fn start(plan: &Plan, ports: Vec<String>) -> anyhow::Result<Self> {
        let clock = Clock::new();
        let kernel = Kernel::attach(plan)?;
        let started_unix_ns = clock.now_unix_ns();
        let about = About { hooks: kernel.hooks.names(), kernel: kernel::release(), ports, started_unix_ns };
        let tracker = Tracker::new(started_unix_ns, plan.max_connections as usize);
        Ok(Self { clock, kernel, tracker, about })
    }

    /// Until something ends it.
    async fn run(
        &mut self,
        signals: &mut Signals,
        deadline: Option<Instant>,
        view: Option<&dyn View>,
        output: &mut Output,
    ) -> anyhow::Result<Ending> {
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Self { clock, kernel, tracker, .. } = self;
            tokio::select! {
                biased;
                () = signals.next() => return Ok(Ending::Asked),
                () = until(deadline) => return Ok(Ending::Over),
                closed = output.closed(), if view.is_some() => {
                    closed.context("cannot write to standard output")?;
                    return Ok(Ending::OutputClosed);
                }
                _ = ticks.tick() => tracker.sample(sample(kernel, output)?),
                () = pass_on(&mut kernel.log) => {}
                () = sleep(FLUSH_RETRY), if output.is_waiting() => output.flush(),
                ready = kernel.ring.readable_mut() => {
                    let mut ready = ready.context("cannot wait for events")?;
                    let is_empty = drain(ready.get_inner_mut(), |record| show(record, *clock, tracker, view, output));
                    if is_empty {
                        ready.clear_ready();
                    }
                    output.flush();
                }
            }
        }
    }

    /// Detaches, and takes in what is left.
    fn end(&mut self, view: Option<&dyn View>, output: &mut Output) -> anyhow::Result<Snapshot> {
        let Self { clock, kernel, tracker, .. } = self;
        kernel.detach();
        let now_unix_ns = clock.now_unix_ns();
        while !drain(kernel.ring.get_mut(), |record| show(record, *clock, tracker, view, output)) {}
        if let Some(view) = view {
            for connection in kernel.counters.closed_connections() {
                let mut event = decode::event(RowKind::Close, &connection, *clock);
                event.unix_ns = clock.unix_ns(connection.ended_ns);
                output.row(&view.row(&tracker.apply(event)));
            }
        }
        tracker.sample(sample(kernel, output)?);
        Ok(tracker.snapshot(now_unix_ns))
    }

    /// Detaches, and gives what was counted.
    pub(crate) fn finish(mut self) -> anyhow::Result<Snapshot> {
        self.end(None, &mut Output::new())
    }
}

fn sample(kernel: &mut Kernel, output: &Output) -> anyhow::Result<Sample> {
    let mut sample = kernel.sample()?;
    sample.loss.rows += output.lost_rows();
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
fn show(record: &[u8], clock: Clock, tracker: &mut Tracker, view: Option<&dyn View>, output: &mut Output) {
    match decode(record, clock) {
        Ok(event) => {
            let row = tracker.apply(event);
            if let Some(view) = view {
                output.row(&view.row(&row));
            }
        }
        Err(malformed) => log::warn!("{malformed}"),
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
