//! `cargo xtask vm`: boots each supported kernel under QEMU and runs the scenarios (observer/tests/scenarios) there
//! with every set of hooks.
//!
//! The kernels are Debian's, unmodified. The initramfs holds busybox, the program and the scenario runner, all
//! statically linked. QEMU emulates the processor, which needs no privileges and works inside virtual machines too.

pub(crate) mod architecture;
pub(crate) mod boot;
mod debian;
mod foreign;
pub(crate) mod image;
pub(crate) mod kernels;
pub(crate) mod programs;
mod table;

use std::env::consts::ARCH;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::support::packages;
use crate::support::tally::Tally;
use crate::support::workspace::{Workspace, is_root};
use architecture::{Architecture, X86_64};
use boot::{Booted, REFUSED};
use kernels::Kernel;
use programs::Programs;

/// Sets of hooks: each one alone, and each one together with sockops.
const SETS: [&str; 6] = ["fentry", "kprobe", "tracepoint", "sockops,fentry", "sockops,kprobe", "sockops,tracepoint"];

/// Run the scenarios on each supported kernel, under QEMU, with every set of hooks
///
/// Installs the Debian packages that it lacks as root, and otherwise prints the apt-get line that does. Downloads each
/// kernel once, into the target folder.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Boot kernels for this architecture: x86_64 or aarch64
    #[arg(long = "arch", value_name = "NAME", default_value = X86_64.name, value_parser = architecture::find)]
    architecture: &'static Architecture,

    /// Boot only this kernel: 5.10, 6.1, 6.12 or 7.2; repeatable
    #[arg(long = "kernel", value_name = "VERSION", value_parser = kernels::find)]
    kernels: Vec<Kernel>,

    /// Use only this set of hooks, such as sockops,fentry; repeatable
    #[arg(long = "hooks", value_name = "SET")]
    sets: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    install_packages(args.architecture)?;
    let tally = check(&Workspace::find()?, args)?;
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the scenarios on all kernels for x86_64 with all sets of hooks.
pub(crate) fn check_all(workspace: &Workspace) -> Result<Tally> {
    check(workspace, &Args { architecture: &X86_64, kernels: Vec::new(), sets: Vec::new() })
}

/// Where everything for an architecture's virtual machines is kept.
pub(crate) fn folder(workspace: &Workspace, architecture: &Architecture) -> PathBuf {
    workspace.target.join("vm").join(architecture.name)
}

/// A failed scenario counts in the tally. An error means that a boot did not run to its end.
fn check(workspace: &Workspace, args: &Args) -> Result<Tally> {
    if ARCH != X86_64.name {
        bail!("the programs are built on x86_64 only, not on {ARCH}");
    }
    let architecture = args.architecture;
    let kernels = if args.kernels.is_empty() { kernels::ALL.to_vec() } else { args.kernels.clone() };
    let sets: Vec<&str> =
        if args.sets.is_empty() { SETS.to_vec() } else { args.sets.iter().map(String::as_str).collect() };
    let folder = folder(workspace, architecture);
    let fetch = |kernel: &Kernel| Ok((*kernel, kernel.fetch(&folder, architecture)?));
    let images = kernels.iter().map(fetch).collect::<Result<Vec<_>>>()?;
    let Programs { tool, scenarios, busybox } = programs::build(workspace, architecture, &folder)?;
    let files =
        [(tool, "bin/tcp-reuse-watch".into()), (scenarios, "bin/scenarios".into()), (busybox, "bin/busybox".into())];
    let mut boots: Vec<Booted> = Vec::new();
    for (kernel, image) in images {
        let initramfs = image::make(&folder, &files, &commands(kernel, architecture, &sets))?;
        let start = Instant::now();
        let booted = boot::boot(architecture, kernel, &image, &initramfs)?;
        println!("{}: {:.1} s", booted.kernel, start.elapsed().as_secs_f64());
        boots.push(booted);
    }
    print!("\n{}", table::of(&boots, &sets));
    conclude(&boots, &sets)
}

/// What runs the scenarios in the virtual machine. A set that the kernel has to refuse is marked for the runner.
fn commands(kernel: Kernel, architecture: &Architecture, sets: &[&str]) -> String {
    let mark = |set: &&str| {
        let is_refused = kernel.refuses_fentry(architecture) && set.split(',').any(|hook| hook == "fentry");
        format!("{}{set}", if is_refused { REFUSED } else { "" })
    };
    let sets: Vec<String> = sets.iter().map(mark).collect();
    // Some scenarios need a machine that is nobody else's.
    let variables = "TCP_REUSE_WATCH=/bin/tcp-reuse-watch TCP_REUSE_WATCH_OWN_MACHINE=1";
    format!("{variables} TCP_REUSE_WATCH_HOOKS='{}' scenarios", sets.join(" "))
}

/// Adds up the results. A set of hooks without a result is an error, because it has not been tested.
fn conclude(boots: &[Booted], sets: &[&str]) -> Result<Tally> {
    let mut tally = Tally::default();
    for result in boots.iter().flat_map(|boot| &boot.results) {
        tally += Tally { passed: result.passed, failed: result.failed, skipped: 0 };
    }
    // Again, because the log of a boot is long, and of CI's only the end may be kept.
    for boot in boots {
        boot.failures().for_each(|line| println!("{} | {line}", boot.kernel));
    }
    let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out",
        tally.passed, tally.failed
    );
    for boot in boots {
        if let Some(set) = sets.iter().find(|set| boot.result(set).is_none_or(|result| result.passed == 0)) {
            bail!("Linux {}: no scenario passed with the hooks {set}", boot.kernel);
        }
        if !boot.has_ended {
            bail!("Linux {}: the scenarios did not run to their end", boot.kernel);
        }
    }
    Ok(tally)
}

fn install_packages(architecture: &Architecture) -> Result<()> {
    let missing = packages::missing(architecture.packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    if is_root() {
        return packages::install(&missing);
    }
    bail!("packages are missing: run `{}`", packages::install_line(&missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use architecture::AARCH64;
    use boot::SetResult;

    fn booted(passed: u64, has_ended: bool) -> Booted {
        let result = SetResult { set: "fentry".into(), is_refused: false, passed, failed: 1, seconds: 1.0 };
        Booted { kernel: "5.10".into(), results: vec![result], has_ended, ..Booted::default() }
    }

    #[test]
    fn failed_scenarios_count() {
        let tally = conclude(&[booted(5, true), booted(6, true)], &["fentry"]).unwrap();
        assert_eq!(tally, Tally { passed: 11, failed: 2, skipped: 0 });
    }

    #[test]
    fn untested_set_of_hooks_is_an_error() {
        assert!(conclude(&[booted(5, false)], &["fentry"]).is_err());
        assert!(conclude(&[booted(0, true)], &["fentry"]).is_err());
        assert!(conclude(&[booted(5, true)], &["fentry", "kprobe"]).is_err());
    }

    #[test]
    fn sets_that_the_kernel_has_to_refuse_are_marked() {
        let hooks = |architecture, kernel| {
            commands(kernels::find(kernel).unwrap(), architecture, &["fentry", "kprobe", "sockops,fentry"])
        };
        assert!(hooks(&AARCH64, "6.1").contains("='!fentry kprobe !sockops,fentry'"));
        assert!(hooks(&AARCH64, "6.12").contains("='fentry kprobe sockops,fentry'"));
        assert!(hooks(&X86_64, "6.1").contains("='fentry kprobe sockops,fentry'"));
    }
}
