//! The program without a subcommand: opens every file and socket, attaches, watches until something ends it, and writes
//! the summary.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use observer_core::{
    Conclusion,
    model::{Filters, WatchInfo},
    tracker::Tracker,
};

use crate::{
    cli, exit,
    exporter::Endpoint,
    helper::Runtimes,
    host::{clock::Clock, confinement::Purpose, event_loop::event_loop, memory_limit, open_files, signals::Signals},
    kernel::{self, HookSet, WatchConfig},
    output::{
        diagnostics,
        recorder::RecordingFile,
        report_files::ReportFiles,
        screen::{Screen, Target},
        summary_file::SummaryFile,
    },
    runner::{Account, Forked, Runner},
    session::{Session, Stop, Supervised},
};

pub(crate) fn run(options: &cli::Watch) -> anyhow::Result<ExitCode> {
    open_files::check()?;
    diagnostics::open(options.verbose, options.log_file.as_deref())?;
    if let Some(warning) = memory_limit::warning(options.max_connections) {
        // At once, because there may be no later. Nobody may read it.
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    // Before anything is opened, because the command must not inherit it.
    let command = start_command(&options.run)?;
    // The port comes first: a second watch with the same command line must fail before it truncates the first one's
    // files.
    let metrics = Endpoint::bind(&options.metrics)?;
    let files = Files {
        output: Target::open(options.output_file.as_deref(), command.is_some())?,
        summary: options.summary.as_deref().map(SummaryFile::create).transpose()?,
        reports: ReportFiles::open(&options.gates.reports)?,
        recording: options.record.as_deref().map(RecordingFile::create).transpose()?,
    };
    // The helper is forked while this process has a single thread and all its privileges.
    let runtimes = Runtimes::start();
    event_loop()?.block_on(watch(options, command, files, metrics, runtimes))
}

/// The files that a watch writes to.
struct Files {
    output: Target,
    summary: Option<SummaryFile>,
    reports: ReportFiles,
    recording: Option<RecordingFile>,
}

/// Forks the command, if there is one. It waits.
fn start_command(options: &cli::RunCommand) -> anyhow::Result<Option<Forked>> {
    if options.argv.is_empty() {
        return Ok(None);
    }
    let account = match &options.run_as {
        Some(account) => Some(account.clone()),
        None => Account::of_caller().context("cannot find the account of the user who called sudo")?,
    };
    if let Some(account) = &account {
        account.check()?;
    }
    Forked::start(&options.argv, account).map(Some)
}

async fn watch(
    options: &cli::Watch,
    command: Option<Forked>,
    files: Files,
    metrics: Option<Endpoint>,
    runtimes: Runtimes,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let runner = command.map(Forked::into_runner).transpose()?;
    let config = watch_config(options, runner.as_ref());
    let started = Session::start(&config, Purpose::Watching, about(options), files.recording, metrics, runtimes);
    let mut command = runner.map(|runner| Supervised::new(runner, options.run.linger));
    let mut session = match (started, &mut command) {
        (Ok(session), _) => session,
        (Err(error), Some(_)) if options.run.allow_unsupported && exit::is_not_permitted(&error) => {
            let stop = Stop::new(signals, options.duration, command);
            return unwatched(options, stop, &format!("{error:#}"), files.summary, files.reports).await;
        }
        (Err(error), _) => return Err(error),
    };
    // The screen starts threads. They must not inherit the privileges that attaching needed.
    let mut screen = Screen::start(options.output(), files.output, &session.about)?;
    session.notify_of_start(screen.as_mut());
    if let Some(command) = &mut command {
        // The command that waits has not heeded it.
        if signals.has_arrived().await {
            bail!("ended by a signal before the command was started");
        }
        command.runner.release()?;
    }
    let mut stop = Stop::new(signals, options.duration, command);
    let ending = session.run(&mut stop, screen.as_mut()).await;
    if stop.command.is_some() {
        session.notify_of_descendants(screen.as_mut());
    }
    if let Some(screen) = &mut screen {
        screen.leave();
    }
    let Stop { signals, command, .. } = stop;
    signals.quit_on_next();
    if command.as_ref().is_some_and(|command| command.report.is_some()) {
        session.settle().await;
    }
    let (snapshot, sampled) = session.end(screen.as_mut());
    session.end_recording(screen.as_mut()).await;
    // Whatever fails, the rest is still shown.
    let conclusion = Conclusion {
        gates: options.gates.gates().judge(&snapshot),
        command: command.as_ref().map(Supervised::describe),
        ..Conclusion::new(&session.about, &snapshot)
    };
    let written = files.summary.map_or(Ok(()), |file| file.write(&conclusion));
    let reported = files.reports.write(&conclusion);
    let concluded = ending.conclude(screen, &conclusion).await;
    let judged = exit::of_gates(&conclusion);
    let watched = exit::all_of([sampled, written, reported, concluded]);
    match command {
        Some(command) => exit::of_command(&command, watched, judged),
        None => watched.map(|()| judged),
    }
}

/// Runs the command where nothing can be watched. The summary and the reports say so.
async fn unwatched(
    options: &cli::Watch,
    mut stop: Stop,
    why: &str,
    summary_file: Option<SummaryFile>,
    reports: ReportFiles,
) -> anyhow::Result<ExitCode> {
    exit::print(&format!("warning: the command is not watched: {why}\n"));
    let started_unix_ns = Clock::new().now_unix_ns();
    if let Some(command) = &mut stop.command {
        command.runner.release()?;
    }
    stop.next(|| false).await;
    let Some(command) = stop.command else { bail!("there is no command") };
    let about = WatchInfo { kernel: kernel::release(), started_unix_ns, ..about(options) };
    let mut tracker = Tracker::new(started_unix_ns, 0);
    // Zero connections are not what the command has opened.
    tracker.lose_counts();
    let snapshot = tracker.snapshot(Clock::new().now_unix_ns());
    let conclusion = Conclusion {
        gates: options.gates.gates().skip(why),
        command: Some(command.describe()),
        ..Conclusion::new(&about, &snapshot)
    };
    let written = summary_file.map_or(Ok(()), |file| file.write(&conclusion));
    let reported = reports.write(&conclusion);
    exit::of_command(&command, exit::all_of([written, reported]), exit::of_gates(&conclusion))
}

/// The filters, in the words shown to the user and by kind.
fn about(options: &cli::Watch) -> WatchInfo {
    let by_kind = Filters {
        destinations: options.destinations.iter().map(ToString::to_string).collect(),
        pids: options.pids.clone(),
        processes: options.processes.clone(),
        children: options.children,
        command: options.run.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
    };
    let command = by_kind.command.first().map(|program| format!("of {program} and its descendants"));
    let destinations = by_kind.destinations.iter().map(|network| format!("to {network}"));
    let pids = by_kind.pids.iter().map(|pid| {
        let whose = if options.children { " and its descendants" } else { "" };
        format!("of pid {pid}{whose}")
    });
    let processes = by_kind.processes.iter().map(|name| format!("of {name}"));
    WatchInfo {
        ports: options.ports.iter().map(ToString::to_string).collect(),
        filters: destinations.chain(pids).chain(command).chain(processes).collect(),
        filters_by_kind: Some(by_kind),
        ..WatchInfo::default()
    }
}

fn watch_config(options: &cli::Watch, runner: Option<&Runner>) -> WatchConfig {
    let hooks = (!options.hooks.contains(&cli::Hooks::Auto)).then(|| HookSet {
        sockops: options.hooks.contains(&cli::Hooks::Sockops),
        fentry: options.hooks.contains(&cli::Hooks::Fentry),
        kprobe: options.hooks.contains(&cli::Hooks::Kprobe),
        tracepoint: options.hooks.contains(&cli::Hooks::Tracepoint),
    });
    WatchConfig {
        ports: options.ports.iter().map(|ports| (ports.first, ports.last)).collect(),
        destinations: options.destinations.clone(),
        pids: runner.map_or_else(|| options.pids.clone(), |runner| vec![runner.command_pid]),
        with_children: options.children || runner.is_some(),
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
