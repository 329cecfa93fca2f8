//! `cargo xtask soak`: runs the tool under churn for a long time. Processes come and go; connections are reset, refused
//! and read slowly, and overflow the maps; the tool itself is stopped for a while. Afterwards, its totals have to equal
//! the counts of the servers and the clients, and it must hold nothing for what is gone: no entries of maps, no open
//! files, no memory.

pub(crate) mod churn;
mod health;
mod held;
mod judge;
mod server;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use rustix::process::Signal;

use crate::support::tally::Tally;
use crate::support::workspace::{Workspace, release};
use churn::{Counted, Kind};
use health::Health;
use held::Held;
pub(crate) use judge::Memory;
use judge::{Check, Truth};
use server::Server;
use watch::Watch;

/// Threads that each run one client process at a time.
const WORKERS: usize = 2;

/// How many times the soak overflows the table of groups.
const OVERFLOWS: u32 = 6;

/// How long the tool is stopped by SIGSTOP.
const STOPPED: Duration = Duration::from_secs(10);

const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);

/// Connections that the small watch has room for. A crowd has more.
const SMALL: u32 = 256;

/// Run the tool under churn and compare its totals with the true counts
///
/// Processes come and go, connections are reset, refused and read slowly, and the maps overflow. Fails if a total
/// differs from the count of the servers and the clients, or if entries of maps, open files or memory are left. Needs
/// root, and for the check of memory a machine that does nothing else.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run for this long, such as 90s or 30m; at least 30s
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    duration: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[digits.len()..] {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        unit => return Err(format!("{unit}: the unit of a time is s, m or h")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text}: a time looks like 90s or 30m"))?;
    let duration = Duration::from_secs(number * unit);
    if duration < Duration::from_secs(30) { Err("at least 30s".into()) } else { Ok(duration) }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let tally = check(&Workspace::find()?, args.duration, Memory::Judged)?;
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the soak; the tally counts the checks after it.
pub(crate) fn check(workspace: &Workspace, duration: Duration, memory: Memory) -> Result<Tally> {
    let tool = release(workspace)?;
    let (server, crowded, closed) = (Server::start()?, Server::start()?, Closed::bind()?);
    let ports = format!("{},{}", server.port, closed.port);
    let mut watch = Watch::start(&tool, &["-p", &ports])?;
    let mut small = Watch::start(&tool, &["-p", &crowded.port.to_string(), "--max-connections", &SMALL.to_string()])?;
    let (at_first, small_at_first) = (Held::now(watch.process.id())?, Held::now(small.process.id())?);
    let targets = Targets {
        server: server.port,
        crowded: crowded.port,
        closed: closed.port,
        end: Instant::now() + duration,
        between_overflows: duration / OVERFLOWS,
        counted: Mutex::default(),
    };
    let health = thread::scope(|scope| {
        let targets = &targets;
        let workers: Vec<_> = (0..WORKERS).map(|n| scope.spawn(move || work(targets, n))).collect();
        let health = monitor(&mut watch, &mut small, duration);
        for worker in workers {
            worker.join().map_err(|_| anyhow!("a worker panicked"))??;
        }
        health
    })?;
    server.wait_until_idle()?;
    crowded.wait_until_idle()?;
    let at_last = Held::at_last(watch.process.id(), at_first)?;
    let small_at_last = Held::at_last(small.process.id(), small_at_first)?;
    let truth = Truth {
        server: server.counted(),
        crowded: crowded.counted(),
        clients: *targets.counted.lock().map_err(|_| anyhow!("a worker panicked"))?,
    };
    let (watch, small) = (watch.end()?, small.end()?);
    let mut checks = judge::totals(&truth, &watch, &small);
    checks.extend(judge::held("the watch", at_first, at_last, &watch));
    checks.extend(judge::held("the small watch", small_at_first, small_at_last, &small));
    checks.push(judge::memory(&health, memory));
    Ok(conclude(&checks))
}

fn conclude(checks: &[Check]) -> Tally {
    let mut tally = Tally::default();
    for check in checks {
        println!("{check}");
        if check.holds { tally.passed += 1 } else { tally.failed += 1 }
    }
    let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out",
        tally.passed, tally.failed
    );
    tally
}

/// A bound port without a listener.
struct Closed {
    port: u16,
    _socket: OwnedFd,
}

impl Closed {
    fn bind() -> Result<Self> {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
        let address = SocketAddr::try_from(getsockname(&socket)?)?;
        Ok(Self { port: address.port(), _socket: socket })
    }
}

/// The ports for the clients, the end of the soak, and the totals that the clients report.
struct Targets {
    server: u16,
    crowded: u16,
    closed: u16,
    end: Instant,
    between_overflows: Duration,
    counted: Mutex<Counted>,
}

/// Runs one client process after the other, of each kind in turn.
fn work(targets: &Targets, worker: usize) -> Result<()> {
    let mut next_overflow = Instant::now();
    for n in worker.. {
        if Instant::now() > targets.end {
            break;
        }
        let mut kind = Kind::ALL[n % Kind::ALL.len()];
        // Overflowing the groups takes long, so this happens OVERFLOWS times only.
        if worker == 0 && Instant::now() > next_overflow {
            kind = Kind::Destinations;
            next_overflow += targets.between_overflows;
        }
        let port = match kind {
            Kind::Refused => targets.closed,
            Kind::Crowd => targets.crowded,
            _ => targets.server,
        };
        let address = SocketAddr::from(([127, 0, 0, 1 + (n % 8) as u8], port));
        let counted = churn::start(kind, address)?;
        if kind != Kind::Crowd {
            *targets.counted.lock().map_err(|_| anyhow!("another worker panicked"))? += counted;
        }
    }
    Ok(())
}

/// Samples the watches until the end, and stops one of them for a while.
fn monitor(watch: &mut Watch, small: &mut Watch, duration: Duration) -> Result<Health> {
    let began = Instant::now();
    let mut health = Health::new(duration);
    let mut stop = Some(duration / 4);
    while began.elapsed() < duration {
        thread::sleep(SAMPLE_INTERVAL);
        watch.process.check()?;
        small.process.check()?;
        health.sample(began.elapsed(), watch.process.id());
        if stop.is_some_and(|at| began.elapsed() > at) {
            stop = None;
            watch.process.signal(Signal::STOP)?;
            thread::sleep(STOPPED);
            watch.process.signal(Signal::CONT)?;
        }
    }
    Ok(health)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("30m"), Ok(Duration::from_mins(30)));
        assert_eq!(duration("45"), Ok(Duration::from_secs(45)));
        assert!(duration("5s").is_err());
        assert!(duration("soon").is_err());
    }
}
