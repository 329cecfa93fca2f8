//! `cargo xtask fuzz`: feeds arbitrary input to everything that reads untrusted input. The targets are the binaries of
//! `fuzz/`, each a libFuzzer of its own.
//!
//! The command passes the flags of libFuzzer's instrumentation itself. cargo-fuzz would have to be installed first, and
//! builds with AddressSanitizer, which needs a nightly compiler and makes a run twice as slow. It would find nothing: the
//! code under test is safe Rust, and fails by a panic.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::support::tally::Tally;
use crate::support::workspace::{Workspace, run as run_command};

/// How long each target runs by default, and in `cargo xtask test`.
pub(crate) const SECONDS: u64 = 10;

/// The instrumentation that libFuzzer needs: counters of branches, and the operands of comparisons.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                         -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                         -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Options of libFuzzer. An input that takes 20 s or 2 GiB fails, even on a busy machine.
const OPTIONS: [&str; 4] = ["-timeout=20", "-rss_limit_mb=2048", "-use_value_profile=1", "-print_final_stats=1"];

/// Feed arbitrary input to everything that reads untrusted input
///
/// Builds with the flags of libFuzzer, which needs g++ and no other tool. Inputs that reach new code are kept in
/// target/fuzz/corpus for the next run, and begin with those in fuzz/corpus. Inputs that fail are in target/fuzz/artifacts.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Targets to run, by the names in fuzz/Cargo.toml [default: all]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,

    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = SECONDS, conflicts_with = "runs")]
    seconds: u64,

    /// How many inputs each target runs, instead of a time
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let limit = args.runs.map_or(Limit::Time(Duration::from_secs(args.seconds)), Limit::Runs);
    let tally = check(&Workspace::find()?, &args.targets, limit)?;
    println!("{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// When a target ends.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    Time(Duration),
    Runs(u64),
}

impl Limit {
    fn option(self) -> String {
        match self {
            Self::Time(time) => format!("-max_total_time={}", time.as_secs()),
            Self::Runs(runs) => format!("-runs={runs}"),
        }
    }
}

/// Builds and runs these targets, or all. As many run side by side as there are processors.
pub(crate) fn check(workspace: &Workspace, wanted: &[String], limit: Limit) -> Result<Tally> {
    let mut targets = targets(&workspace.root.join("fuzz/Cargo.toml"))?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        bail!("no target is called {unknown}: use {}", targets.join(", "));
    }
    targets.retain(|name| wanted.is_empty() || wanted.contains(name));
    let folder = workspace.target.join("fuzz");
    let built = build(workspace, &folder, &targets)?;
    let waiting = Mutex::new(targets.into_iter());
    let next = || waiting.lock().ok()?.next();
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = fuzz(workspace, &folder, &built.join(&target), &target, limit);
                    if let Err(error) = &outcome {
                        println!("{target}: {error:#}");
                    }
                    if let Ok(mut tally) = tally.lock() {
                        tally.passed += u64::from(outcome.is_ok());
                        tally.failed += u64::from(outcome.is_err());
                    }
                }
            });
        }
    });
    tally.into_inner().map_err(|_| anyhow::anyhow!("a thread that runs a target has panicked"))
}

#[derive(Deserialize)]
struct Manifest {
    bin: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn targets(manifest: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let manifest: Manifest = toml::from_str(&text).context("fuzz/Cargo.toml lists no targets")?;
    Ok(manifest.bin.into_iter().map(|target| target.name).collect())
}

/// Returns the folder of the programs.
fn build(workspace: &Workspace, folder: &Path, targets: &[String]) -> Result<PathBuf> {
    // Named, because the flags would otherwise apply to build scripts too, which lack libFuzzer.
    let host = format!("{ARCH}-unknown-linux-gnu");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target", &host]);
    cargo.arg("--target-dir").arg(folder).args(targets.iter().flat_map(|name| ["--bin", name]));
    run_command(cargo.env("RUSTFLAGS", RUSTFLAGS)).context("cannot build the fuzz targets, which need g++")?;
    Ok(folder.join(host).join("release"))
}

/// Runs a target. The error has what it printed, and the input that it failed on.
fn fuzz(workspace: &Workspace, folder: &Path, program: &Path, target: &str, limit: Limit) -> Result<()> {
    let (found, failed) = (folder.join("corpus").join(target), folder.join("artifacts").join(target));
    for folder in [&found, &failed] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut command = Command::new(program);
    command.args(OPTIONS).arg(limit.option()).arg(format!("-artifact_prefix={}/", failed.display()));
    command.arg(found).args(Some(workspace.root.join("fuzz/corpus").join(target)).filter(|seeds| seeds.is_dir()));
    let begin = Instant::now();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", program.display()))?;
    let printed = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("failed\n{}", reason(&printed));
    }
    println!("{target}: {} runs in {:.0} s", runs(&printed).unwrap_or_default(), begin.elapsed().as_secs_f64());
    Ok(())
}

fn runs(printed: &str) -> Option<u64> {
    printed.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?.trim().parse().ok()
}

/// The end of the output, which begins with the panic.
fn reason(printed: &str) -> String {
    let lines: Vec<&str> = printed.lines().collect();
    let panic = lines.iter().position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    lines[panic.unwrap_or(lines.len().saturating_sub(20))..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_from_the_final_statistics() {
        assert_eq!(runs("Done\nstat::number_of_executed_units: 14611\nstat::x: 1"), Some(14_611));
        assert_eq!(runs("nothing"), None);
    }

    #[test]
    fn reason_begins_with_the_panic() {
        assert_eq!(
            reason("#2 INITED\nthread panicked at x\nwhy\nTest unit written"),
            "thread panicked at x\nwhy\nTest unit written"
        );
        assert_eq!(reason("no panic"), "no panic");
    }

    #[test]
    fn seeds_belong_to_a_target() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let targets = targets(&fuzz.join("Cargo.toml")).unwrap();
        for seeds in fs::read_dir(fuzz.join("corpus")).unwrap() {
            let name = seeds.unwrap().file_name().into_string().unwrap();
            assert!(targets.contains(&name), "fuzz/corpus/{name} belongs to no target");
        }
    }
}
