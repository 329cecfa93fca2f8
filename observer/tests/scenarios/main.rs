//! Runs scenarios on loopback, one after the other, under one watch per hook set. The tool's report of each scenario
//! must match the counts of the runner's own listeners and the values written beside the scenario.
//!
//! This is a custom test runner instead of `#[test]` functions, because attaching takes a second on an emulated
//! processor: `cargo xtask vm` runs this program, statically linked, on every supported kernel with every hook set.
//!
//! Arguments select scenarios by a part of their name. `TCP_REUSE_WATCH_HOOKS` lists the hook sets, separated by
//! spaces, each after a `!` if the kernel has to refuse it, and `TCP_REUSE_WATCH` is the path of the program under test.

mod avoidable;
mod bodies;
mod cgroups;
mod clock;
mod connects;
mod descendants;
mod dialogue;
mod endings;
mod expected;
mod fast_open;
mod floods;
mod hook_set;
mod http;
mod ledger;
mod logins;
mod machine;
mod messages;
mod peer;
mod pools;
mod privileges;
mod recording;
mod refused;
mod report;
mod scenario;
mod sockets;
mod tls;
mod transfers;
mod watch;

use std::{
    env,
    process::{ExitCode, exit},
    time::Instant,
};

use anyhow::{Context as _, Result};

use hook_set::HookSet;
use machine::Machine;
use scenario::Outcome;

/// The hook sets to run on this machine's kernel when `TCP_REUSE_WATCH_HOOKS` is not set.
const DEFAULT_SETS: &str = "sockops,tracepoint tracepoint";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, address] = arguments.as_slice()
        && first == endings::CHILD
    {
        // `exit` does not unwind, so the kernel closes the connections.
        exit(endings::child(address));
    }
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every hook set and returns the number of failures.
fn run(arguments: &[String]) -> Result<usize> {
    // Ignore the options that cargo passes to every test program, such as --nocapture.
    let chosen: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let sets = env::var("TCP_REUSE_WATCH_HOOKS").unwrap_or_else(|_| DEFAULT_SETS.into());
    let (mut passed, mut failed) = (0, 0);
    if scenario::names().any(|name| is_chosen(name, &chosen)) {
        let machine = Machine::exclusive().context("the scenarios need exclusive use of the machine")?;
        for set in sets.split_whitespace() {
            let outcomes = run_set(&machine, set, &chosen);
            let failures = outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).count();
            failed += failures;
            passed += outcomes.len() - failures;
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    Ok(failed)
}

fn run_set(machine: &Machine, set: &str, chosen: &[&str]) -> Vec<Outcome> {
    let start = Instant::now();
    println!("\nhooks {set}");
    let outcomes = match set.strip_prefix(refused::MARK) {
        Some(set) => refused::check(set),
        None => scenario::run_all(machine, &HookSet::parse(set), |name| is_chosen(name, chosen)),
    };
    for outcome in &outcomes {
        outcome.print(set);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).count();
    let passed = outcomes.len() - failed;
    println!("hooks {set}: {passed} passed; {failed} failed; {:.1} s", start.elapsed().as_secs_f64());
    outcomes
}

fn is_chosen(name: &str, chosen: &[&str]) -> bool {
    chosen.is_empty() || chosen.iter().any(|part| name.contains(part))
}
