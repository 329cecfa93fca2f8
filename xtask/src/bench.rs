//! `cargo xtask bench`: the tool beside what people would look with instead, on the same work in the same run, against
//! the budgets. It prints what it finds, and writes docs/BENCHMARKS.md.

mod bpf;
mod contestant;
mod cost;
mod exactness;
mod handlers;
pub(crate) mod hold;
mod holders;
mod load;
mod micro;
mod peers;
mod report;
mod rounds;
mod scale;
mod server;
pub(crate) mod spread;
mod startup;
mod throughput;
mod time_wait;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::support::packages;
use crate::support::workspace::{Workspace, release};
use report::Section;

/// Measure the tool beside its peers, against the budgets, and write docs/BENCHMARKS.md
///
/// Takes about 40 minutes on a machine that does nothing else, and needs root. As root it first installs the
/// Debian packages that it needs. Parts that are not measured keep what was measured last.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these parts
    parts: Vec<Part>,

    /// A try of a minute or two, whose numbers are worth nothing; writes no document
    #[arg(long)]
    quick: bool,

    /// How often each is measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What is left of a load's rate
    Throughput,
    /// CPU, in the kernel and in user space
    Cost,
    /// One send, one receive
    Handlers,
    /// Counted ÷ true
    Exactness,
    /// Time to attach, size
    Startup,
    /// Growing numbers of connections and groups
    Scale,
    /// One row, one sample, one frame
    Micro,
    /// Beside what this kernel may not load, in a virtual machine
    Peers,
}

impl Part {
    pub(crate) const ALL: [Self; 8] = [
        Self::Throughput,
        Self::Cost,
        Self::Handlers,
        Self::Exactness,
        Self::Startup,
        Self::Scale,
        Self::Micro,
        Self::Peers,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Cost => "cost",
            Self::Handlers => "handlers",
            Self::Exactness => "exactness",
            Self::Startup => "startup",
            Self::Scale => "scale",
            Self::Micro => "micro",
            Self::Peers => "peers",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Throughput => "Throughput kept",
            Self::Cost => "Cost",
            Self::Handlers => "One send, one receive",
            Self::Exactness => "Exactness",
            Self::Startup => "Start",
            Self::Scale => "Growth",
            Self::Micro => "User space",
            Self::Peers => "In a virtual machine",
        }
    }

    fn measure(self, tool: &Path, scope: Scope) -> Result<Section> {
        match self {
            Self::Throughput => throughput::measure(tool, scope),
            Self::Cost => cost::measure(tool, scope),
            Self::Handlers => handlers::measure(tool, scope),
            Self::Exactness => exactness::measure(tool, scope),
            Self::Startup => startup::measure(tool, scope),
            Self::Scale => scale::measure(tool, scope),
            Self::Micro => micro::measure(scope),
            Self::Peers => peers::measure(scope),
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Scope {
    is_quick: bool,
    rounds: usize,
}

impl Scope {
    fn of(self, whole: u32, quick: u32) -> u32 {
        if self.is_quick { quick } else { whole }
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let tool = prepare(&workspace)?;
    let scope = Scope { is_quick: args.quick, rounds: if args.quick { 2 } else { args.rounds as usize } };
    let parts = if args.parts.is_empty() { Part::ALL.to_vec() } else { args.parts.clone() };
    for part in parts {
        println!("==> {}", part.title());
        let section = part.measure(&tool, scope)?;
        println!("\n{}", section.said());
        if !scope.is_quick {
            section.keep(&workspace, part)?;
            println!("wrote {}", report::write(&workspace)?.display());
        }
    }
    if scope.is_quick {
        println!("a quick try: these numbers are worth nothing, and were not written down");
    }
    Ok(ExitCode::SUCCESS)
}

/// Installs what is needed, and builds the tool: where it is.
fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let tool = release(workspace)?;
    let missing = packages::missing(packages::FOR_BENCH)?;
    if !missing.is_empty() {
        packages::install(&missing)?;
    }
    Ok(tool)
}
