//! `cargo xtask soak`: a watch under churn for a long time. Processes come and go, connections are reset, refused, read
//! slowly, too many for the maps, and the tool itself is stopped for a while. Afterwards its totals are what the servers
//! and the clients have counted, and it holds no more memory and no more files than before.

pub(crate) mod churn;
mod health;
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
use judge::{Check, Truth};
use server::Server;
use watch::Watch;

/// Each of them has one process of clients at a time.
const WORKERS: usize = 2;

/// How often there are more groups than there is room for.
const OVERFLOWS: u32 = 6;

/// How long the tool is stopped.
const STOPPED: Duration = Duration::from_secs(10);

/// Time to read counters a few times, and to end.
const TO_SETTLE: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Connections that the small watch has room for: a crowd is more.
const SMALL: u32 = 256;

/// Watch hours of churn in half of one, and compare with what servers and clients have counted
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long, such as 90s or 30m; at least 30s
    #[arg(long, default_value = "30m", value_parser = duration)]
    duration: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[digits.len()..] {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        unit => return Err(format!("{unit}: a time is a number of s, m or h")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text}: a time is like 90s or 30m"))?;
    let duration = Duration::from_secs(number * unit);
    if duration < Duration::from_secs(30) { Err("at least 30s".into()) } else { Ok(duration) }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let tally = check(&Workspace::find()?, args.duration)?;
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Soaks for so long: what holds and what does not.
pub(crate) fn check(workspace: &Workspace, duration: Duration) -> Result<Tally> {
    let tool = release(workspace)?;
    let (server, crowded, closed) = (Server::start()?, Server::start()?, Closed::bind()?);
    let ports = format!("{},{}", server.port, closed.port);
    let mut watch = Watch::start(&tool, &["-p", &ports])?;
    let mut small = Watch::start(&tool, &["-p", &crowded.port.to_string(), "--max-connections", &SMALL.to_string()])?;
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
        let health = look_after(&mut watch, &mut small, duration);
        for worker in workers {
            worker.join().map_err(|_| anyhow!("a worker has panicked"))??;
        }
        health
    })?;
    server.wait_until_idle()?;
    crowded.wait_until_idle()?;
    thread::sleep(TO_SETTLE);
    let truth = Truth {
        server: server.counted(),
        crowded: crowded.counted(),
        clients: *targets.counted.lock().map_err(|_| anyhow!("a worker has panicked"))?,
    };
    let checks = judge::checks(&truth, &watch.end()?, &small.end()?, &health);
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

/// A port that is taken, and at which nobody listens.
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

/// Whom the clients connect to, until when, and what they say they have done.
struct Targets {
    server: u16,
    crowded: u16,
    closed: u16,
    end: Instant,
    between_overflows: Duration,
    counted: Mutex<Counted>,
}

/// One process of clients after the other, of every kind in turn.
fn work(targets: &Targets, worker: usize) -> Result<()> {
    let mut next_overflow = Instant::now();
    for n in worker.. {
        if Instant::now() > targets.end {
            break;
        }
        let mut kind = Kind::ALL[n % Kind::ALL.len()];
        // More groups than there is room for: they take long.
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
            *targets.counted.lock().map_err(|_| anyhow!("another worker has panicked"))? += counted;
        }
    }
    Ok(())
}

/// Looks at the watches until the end, and stops one for a while in between.
fn look_after(watch: &mut Watch, small: &mut Watch, duration: Duration) -> Result<Health> {
    let began = Instant::now();
    let mut health = Health::new(duration);
    let mut stop = Some(duration / 4);
    while began.elapsed() < duration {
        thread::sleep(BETWEEN_LOOKS);
        watch.process.check()?;
        small.process.check()?;
        health.look(began.elapsed(), watch.process.id());
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
    fn times_have_units() {
        assert_eq!(duration("30m"), Ok(Duration::from_mins(30)));
        assert_eq!(duration("45"), Ok(Duration::from_secs(45)));
        assert!(duration("5s").is_err());
        assert!(duration("soon").is_err());
    }
}
