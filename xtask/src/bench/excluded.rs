//! The cost of sockets that a watch excludes: only the check of the port. All programs of the tool together, over whole
//! connections.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use anyhow::{Result, anyhow};

use super::Scope;
use super::bpf::{Cost, Statistics, since};
use super::contestant::Contestant;
use super::handlers::{ELSEWHERE, REQUEST, RESPONSE};
use super::report::{Section, Verdict};
use crate::support::statistics::Quartiles;

const EXCHANGES: usize = 3;
/// The share of the cost of a watched connection that an excluded one may have.
const MAX_SHARE: f64 = 0.5;

/// The programs run for every socket of the machine, so those of others add to both numbers, as excluded ones.
pub(super) fn add_to(section: &mut Section, tool: &Path, scope: Scope) -> Result<()> {
    let connections = scope.of(2_000, 200) as usize;
    // Warms the CPU caches.
    run(tool, connections, true)?;
    let (mut a_run, mut a_connection) = (Vec::new(), Vec::new());
    for _ in 0..scope.rounds {
        let (watched, excluded) = (run(tool, connections, true)?, run(tool, connections, false)?);
        a_run.push(excluded.ns_per_run() / watched.ns_per_run());
        a_connection.push(excluded.run_ns as f64 / watched.run_ns as f64);
    }
    let [a_run, a_connection] = [a_run, a_connection].map(Quartiles::of);
    section.verdict(Verdict::new(
        format!("an excluded connection with {EXCHANGES} exchanges ÷ a watched one: < {MAX_SHARE}"),
        format!("{a_connection:.2}, and {a_run:.2} for a run of a program"),
        a_run.median < MAX_SHARE && a_connection.median < MAX_SHARE,
    ));
    Ok(())
}

/// The cost of all programs for this many connections.
fn run(tool: &Path, connections: usize, is_watched: bool) -> Result<Cost> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let started = Contestant::Quiet.start(tool, if is_watched { port } else { ELSEWHERE }, &[])?;
    let server = thread::spawn(move || (0..connections).try_for_each(|_| serve(&listener)));
    let _statistics = Statistics::start()?;
    let before = started.programs();
    for _ in 0..connections {
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        for _ in 0..EXCHANGES {
            client.write_all(REQUEST)?;
            client.read_exact(&mut [0; RESPONSE.len()])?;
        }
    }
    server.join().map_err(|_| anyhow!("the server panicked"))??;
    let programs = since(started.programs(), &before);
    started.stop()?;
    let sum = |of: fn(&Cost) -> u64| programs.iter().map(|program| of(&program.cost)).sum();
    Ok(Cost { runs: sum(|cost| cost.runs), run_ns: sum(|cost| cost.run_ns) })
}

fn serve(listener: &TcpListener) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    while let Ok(1..) = stream.read(&mut [0; REQUEST.len()]) {
        stream.write_all(RESPONSE)?;
    }
    Ok(())
}
