//! One watch for each hook set, and under it one scenario after the other, on loopback: what the tool says of each must
//! be what the runner's own listeners have counted, and what is written down beside the scenario.
//!
//! A runner of its own and not `#[test]` functions, because attaching takes a second where the processor is emulated:
//! `cargo xtask vm` runs this program, statically linked, on every supported kernel and with every hook set.
//!
//! Arguments choose scenarios by a part of their name. `TCP_REUSE_WATCH_HOOKS` has the hook sets, separated by spaces,
//! and `TCP_REUSE_WATCH` the program under test.

mod avoidable;
mod cgroups;
mod connects;
mod dialogue;
mod endings;
mod expected;
mod fast_open;
mod floods;
mod http;
mod ledger;
mod logins;
mod machine;
mod messages;
mod peer;
mod pools;
mod recorded;
mod report;
mod scenario;
mod sight;
mod sockets;
mod stories;
mod tls;
mod transfers;
mod watch;

use std::{
    env,
    process::{ExitCode, exit},
    time::Instant,
};

use anyhow::{Context as _, Result};

use machine::Machine;
use scenario::Outcome;
use sight::Sight;

/// What this machine's own kernel is tried with, where nothing else is asked for.
const DEFAULT_SETS: &str = "sockops,tracepoint tracepoint";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, address] = arguments.as_slice()
        && first == endings::CHILD
    {
        // Without unwinding: the connections are left to the kernel.
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

/// Runs every set; the number of failures.
fn run(arguments: &[String]) -> Result<usize> {
    // What cargo hands on to all test programs, such as --nocapture, means nothing here.
    let chosen: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let sets = env::var("TCP_REUSE_WATCH_HOOKS").unwrap_or_else(|_| DEFAULT_SETS.into());
    let (mut passed, mut failed) = (0, 0);
    if scenario::names().any(|name| is_chosen(name, &chosen)) {
        let machine = Machine::alone().context("the scenarios need the machine")?;
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
    let sight = Sight::of(set);
    println!("\nhooks {set}");
    let outcomes = scenario::run_all(machine, &sight, |name| is_chosen(name, chosen));
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
