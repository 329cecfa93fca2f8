//! `tcp-reuse-watch doctor`: what this kernel and these privileges allow, line by line, and what to do.
//!
//! It asks for nothing that it could try: the hooks are loaded and attached for an instant, and whether the watch would
//! run is found out by starting one. Without privileges it still tells everything that can be told.

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
    host::event_loop::event_loop,
    host::privileges,
    kernel::{
        self, HookSet, Plan,
        btf::Source,
        load::{Loader, Trial},
    },
};
use report::Report;

/// Enough for an instant.
const MAX_CONNECTIONS: u32 = 1024;
const RING_BYTES: u32 = 64 << 10;

pub(crate) fn run(options: &cli::Doctor) -> anyhow::Result<ExitCode> {
    let plan =
        Plan { btf: options.btf.clone(), max_connections: MAX_CONNECTIONS, ring_bytes: RING_BYTES, ..Plan::default() };
    let report = examine(&plan)?;
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

/// Fails only for a `--btf` that is of no use.
fn examine(plan: &Plan) -> anyhow::Result<Report> {
    let source = match Source::read(plan.btf.as_deref()) {
        Err(error) if plan.btf.is_some() => return Err(error),
        source => source,
    };
    let release = kernel::release();
    let mut checks = vec![machine::version(&release), machine::type_information(source.as_ref())?, machine::lockdown()];
    checks.extend(process::capabilities()?);
    checks.extend([process::memory_lock(&release), process::user_namespace(), process::container()]);
    checks.push(machine::cgroup_v2());
    let runtime = event_loop()?;
    let _entered = runtime.enter();
    let verdict = source.and_then(|source| attempt(plan, &source));
    let (trial, taken) = match verdict {
        Ok((trial, taken)) => (Some(trial), taken),
        Err(error) => (None, Err(error)),
    };
    let set = taken.as_ref().ok().map(|(set, _)| *set);
    checks.extend(hooks::checks(trial.as_ref()));
    for check in &mut checks {
        hooks::put_into_perspective(check, set);
    }
    let mut report = Report::new(release, checks);
    match taken {
        Ok((set, not_taken)) => {
            report.runs = true;
            report.hooks = Some(set.names());
            report.hooks_not_taken = not_taken;
        }
        Err(error) => report.obstacle = Some(format!("{error:#}")),
    }
    Ok(report)
}

/// What `auto` takes, and why not the better sets.
type Taken = anyhow::Result<(HookSet, Vec<String>)>;

/// Tries each hook, and then what a watch would do.
fn attempt(plan: &Plan, source: &Source) -> anyhow::Result<(Trial, Taken)> {
    privileges::check(false)?;
    let loader = Loader::new(plan, source)?;
    let trial = loader.try_each();
    let taken = loader.load_best().map(|kernel| (kernel.hooks, kernel.remarks));
    Ok((trial, taken))
}
