//! `tcp-reuse-watch doctor`: checks what this kernel and these privileges allow, and suggests remedies.
//!
//! It tries things instead of guessing: it loads and attaches each hook for a moment, and starts a watch to see whether
//! one would run. Without privileges it still makes all the checks that need none.

mod check;
mod hooks;
mod machine;
mod process;
mod report;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;

use crate::{
    cli::{self, DoctorOutput},
    exit,
    host::{event_loop::event_loop, privileges},
    kernel::{
        self, HookSet, WatchConfig,
        btf::Source,
        hook_test::{HookTests, test_hooks},
        load::Loader,
    },
};
use report::Report;

/// Small maps suffice, because the programs are attached only for a moment.
const MAX_CONNECTIONS: u32 = 1024;
const RING_BYTES: u32 = 64 << 10;

pub(crate) fn run(options: &cli::Doctor) -> anyhow::Result<ExitCode> {
    let config = WatchConfig {
        btf: options.btf.clone(),
        max_connections: MAX_CONNECTIONS,
        ring_bytes: RING_BYTES,
        ..WatchConfig::default()
    };
    let report = examine(&config)?;
    let text = match options.output {
        DoctorOutput::Lines => report.lines(),
        DoctorOutput::Json => report.json()?,
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write to standard output");
        }
        _ => {}
    }
    Ok(if report.runs { ExitCode::SUCCESS } else { exit::not_permitted() })
}

/// Fails only if `--btf` names an unusable file.
fn examine(config: &WatchConfig) -> anyhow::Result<Report> {
    let source = match Source::read(config.btf.as_deref()) {
        Err(error) if config.btf.is_some() => return Err(error),
        source => source,
    };
    let release = kernel::release();
    let mut checks = vec![machine::version(&release), machine::type_information(source.as_ref())?, machine::lockdown()];
    checks.extend(process::capabilities()?);
    checks.extend([process::memory_lock(&release), process::user_namespace(), process::container()]);
    checks.push(machine::cgroup_v2());
    let runtime = event_loop()?;
    let _entered = runtime.enter();
    let attempt = source.and_then(|source| attempt(config, &source));
    let (tests, attached) = match attempt {
        Ok((tests, attached)) => (Some(tests), attached),
        Err(error) => (None, Err(error)),
    };
    let set = attached.as_ref().ok().map(|(set, _)| *set);
    checks.extend(hooks::checks(tests.as_ref()));
    for check in &mut checks {
        hooks::explain_if_not_needed(check, set);
    }
    let mut report = Report::new(release, checks);
    match attached {
        Ok((set, not_taken)) => {
            report.runs = true;
            report.hooks = Some(set.names());
            report.hooks_not_taken = not_taken;
        }
        Err(error) => report.obstacle = Some(format!("{error:#}")),
    }
    Ok(report)
}

/// The set that `auto` attaches, and why better sets were not attached.
type Attached = anyhow::Result<(HookSet, Vec<String>)>;

/// Tries each hook by itself, and then attaches as a watch would.
fn attempt(config: &WatchConfig, source: &Source) -> anyhow::Result<(HookTests, Attached)> {
    privileges::check(false)?;
    let loader = Loader::new(config, source)?;
    let tests = test_hooks(&loader);
    let attached = loader.load_best().map(|kernel| (kernel.hooks, kernel.remarks));
    Ok((tests, attached))
}
