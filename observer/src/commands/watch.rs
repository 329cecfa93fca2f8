//! The program without a subcommand: opens every file and socket, attaches, watches until something ends it, and writes
//! the summary.

use std::process::ExitCode;

use observer_core::{
    Conclusion,
    model::{Filters, WatchInfo},
};
use tokio::time::Instant;

use crate::{
    cli, exit,
    exit::NotPermitted,
    exporter::Endpoint,
    helper::Runtimes,
    host::{
        confinement::Purpose, event_loop::event_loop, memory_limit, namespaces::Namespace, open_files, signals::Signals,
    },
    kernel::{HookSet, WatchConfig},
    output::{
        diagnostics, recorder::RecordingFile, report_files::ReportFiles, screen::Screen, summary_file::SummaryFile,
    },
    session::Session,
};

pub(crate) fn run(options: &cli::Watch) -> anyhow::Result<ExitCode> {
    open_files::check()?;
    diagnostics::open(options.verbose, options.log_file.as_deref())?;
    if !options.pids.is_empty() {
        check_pid_filter()?;
    }
    if let Some(warning) = memory_limit::warning(options.max_connections) {
        // At once, because there may be no later.
        eprintln!("warning: {warning}");
    }
    // The port comes first: a second watch with the same command line must fail before it truncates the first one's
    // files.
    let metrics = Endpoint::bind(&options.metrics)?;
    let summary_file = options.summary.as_deref().map(SummaryFile::create).transpose()?;
    let reports = ReportFiles::open(&options.gates.reports)?;
    let recording = options.record.as_deref().map(RecordingFile::create).transpose()?;
    // The helper is forked while this process has a single thread and all its privileges.
    let runtimes = Runtimes::start();
    event_loop()?.block_on(watch(options, summary_file, reports, recording, metrics, runtimes))
}

/// Refuses `--pid` where it would select other processes, or none.
fn check_pid_filter() -> Result<(), NotPermitted> {
    // An unreadable namespace is not a reason to refuse.
    if Namespace::Pid.is_initial().unwrap_or(true) {
        return Ok(());
    }
    Err(NotPermitted(
        "not supported: --pid needs the machine's process ids, and this process is in a PID namespace of its own (a \
         container); use --process, or start the container with --pid=host (Kubernetes: hostPID)"
            .into(),
    ))
}

async fn watch(
    options: &cli::Watch,
    summary_file: Option<SummaryFile>,
    reports: ReportFiles,
    recording: Option<RecordingFile>,
    metrics: Option<Endpoint>,
    runtimes: Runtimes,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let mut session =
        Session::start(&watch_config(options), Purpose::Watching, about(options), recording, metrics, runtimes)?;
    // The screen starts threads. They must not inherit the privileges that attaching needed.
    let mut screen = Screen::start(options.output(), &session.about)?;
    session.notify_of_start(screen.as_mut());
    // A duration beyond the range of the clock never ends.
    let deadline = options.duration.and_then(|duration| Instant::now().checked_add(duration));
    let ending = session.run(&mut signals, deadline, screen.as_mut()).await;
    if let Some(screen) = &mut screen {
        screen.leave();
    }
    signals.quit_on_next();
    let (snapshot, sampled) = session.end(screen.as_mut());
    session.end_recording(screen.as_mut()).await;
    // Whatever fails, the rest is still shown.
    let gates = options.gates.gates().judge(&snapshot);
    let conclusion = Conclusion { gates, ..Conclusion::new(&session.about, &snapshot) };
    let written = summary_file.map_or(Ok(()), |file| file.write(&conclusion));
    let reported = reports.write(&conclusion);
    let concluded = ending.conclude(screen, &conclusion).await;
    let judged = exit::of_gates(&conclusion);
    exit::all_of([sampled, written, reported, concluded])?;
    Ok(judged)
}

/// The filters, in the words shown to the user and by kind.
fn about(options: &cli::Watch) -> WatchInfo {
    let by_kind = Filters {
        destinations: options.destinations.iter().map(ToString::to_string).collect(),
        pids: options.pids.clone(),
        processes: options.processes.clone(),
    };
    let destinations = by_kind.destinations.iter().map(|network| format!("to {network}"));
    let pids = by_kind.pids.iter().map(|pid| format!("of pid {pid}"));
    let processes = by_kind.processes.iter().map(|name| format!("of {name}"));
    WatchInfo {
        ports: options.ports.iter().map(ToString::to_string).collect(),
        filters: destinations.chain(pids).chain(processes).collect(),
        filters_by_kind: Some(by_kind),
        ..WatchInfo::default()
    }
}

fn watch_config(options: &cli::Watch) -> WatchConfig {
    let hooks = (!options.hooks.contains(&cli::Hooks::Auto)).then(|| HookSet {
        sockops: options.hooks.contains(&cli::Hooks::Sockops),
        fentry: options.hooks.contains(&cli::Hooks::Fentry),
        kprobe: options.hooks.contains(&cli::Hooks::Kprobe),
        tracepoint: options.hooks.contains(&cli::Hooks::Tracepoint),
    });
    WatchConfig {
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
