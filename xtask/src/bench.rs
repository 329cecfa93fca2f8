//! `cargo xtask bench`: measures the tool next to the alternatives, on the same work in the same run, and against the
//! budgets. Prints the results and writes docs/BENCHMARKS.md.

mod bpf;
mod contestant;
mod cost;
mod dashboard;
mod exactness;
mod excluded;
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

/// Measure the cost of the tool next to its alternatives, and write docs/BENCHMARKS.md
///
/// Takes about 40 minutes, on a machine that does nothing else. Needs root, and first lists and installs the Debian
/// packages that it lacks. In the document, parts that were not measured keep their last results.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure only these parts
    parts: Vec<Part>,

    /// Try every part in a minute or two; the numbers mean nothing and are not written
    #[arg(long)]
    quick: bool,

    /// Measure each contestant this many times
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Share of a load's rate that remains under a watch
    Throughput,
    /// CPU time, in the kernel and in user space
    Cost,
    /// Cost of one send and of one receive
    Handlers,
    /// Counted divided by true connections and exchanges
    Exactness,
    /// Time to attach, and size of the binary
    Startup,
    /// Cost with growing numbers of connections and groups
    Scale,
    /// Cost of one row, one sample and one frame in user space
    Micro,
    /// The dashboard with 10,000 groups and 100,000 events a second: answers to keys, and memory
    Dashboard,
    /// Comparison with tcpconnect, tcptracer and tcptop, in a virtual machine
    Peers,
}

impl Part {
    pub(crate) const ALL: [Self; 9] = [
        Self::Throughput,
        Self::Cost,
        Self::Handlers,
        Self::Exactness,
        Self::Startup,
        Self::Scale,
        Self::Micro,
        Self::Dashboard,
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
            Self::Dashboard => "dashboard",
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
            Self::Dashboard => "Dashboard",
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
            Self::Dashboard => dashboard::measure(tool, scope),
            Self::Peers => peers::measure(scope),
        }
    }
}

/// How much to measure.
#[derive(Clone, Copy, Debug)]
struct Scope {
    is_quick: bool,
    rounds: usize,
}

impl Scope {
    fn of(self, full: u32, quick: u32) -> u32 {
        if self.is_quick { quick } else { full }
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
        println!("\n{}", section.to_text());
        if !scope.is_quick {
            section.save(&workspace, part)?;
            println!("wrote {}", report::write(&workspace)?.display());
        }
    }
    if scope.is_quick {
        println!("a quick try: these numbers mean nothing and were not written");
    }
    Ok(ExitCode::SUCCESS)
}

/// Installs the packages and builds the tool. Returns its path.
fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let tool = release(workspace)?;
    let missing = packages::missing(packages::FOR_BENCH)?;
    if !missing.is_empty() {
        packages::install(&missing)?;
    }
    Ok(tool)
}
