//! Runs cells under one watch. Each cell has a port of its own, which separates the tool's reports.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    panic::catch_unwind,
    sync::Mutex,
    thread::{self, sleep},
    time::Duration,
};

use anyhow::{Result, anyhow};

use crate::{
    cell::Cell,
    client::Http2,
    judge::{self, PortReport},
    programs,
    server::{Server, Truth},
    support::{machine::Machine, report::Report},
};

/// The result of a cell.
pub(crate) struct Outcome {
    pub(crate) cell: Cell,
    pub(crate) requests: u64,
    pub(crate) connections: u64,
    /// The tool's count.
    pub(crate) exchanges: u64,
    /// The tool's count.
    pub(crate) opened: u64,
    pub(crate) differences: Vec<String>,
}

pub(crate) struct Outcomes {
    pub(crate) cells: Vec<Outcome>,
    /// Differences in the summary of the watch.
    pub(crate) summary: Vec<String>,
}

/// Client programs that run at the same time.
const WORKERS: usize = 2;

pub(crate) fn run(cells: &[Cell]) -> Result<Outcomes> {
    let machine = Machine::shared();
    let host = own_address();
    let mut server = Server::start(host)?;
    let addresses = cells.iter().map(|cell| server.listen(cell)).collect::<Result<Vec<SocketAddr>>>()?;
    let ports: Vec<String> = addresses.iter().map(|address| address.port().to_string()).collect();
    let watch = machine.watch(format!("-p {} --dest {host}/32", ports.join(",")));
    let cells: Vec<(Cell, SocketAddr)> = cells.iter().copied().zip(addresses).collect();
    let answers = run_clients(&cells);
    let truths = server.finish()?;
    // A socket may outlive its last close by a packet.
    sleep(Duration::from_millis(100));
    let report = watch.end();
    let judged = cells.iter().zip(answers).zip(truths);
    let outcomes = judged
        .map(|(((cell, address), answer), truth)| judge(*cell, address.port(), answer, &truth, &report))
        .collect();
    let exact = cells.iter().all(|(cell, _)| cell.client.http2 != Http2::Chosen);
    Ok(Outcomes { cells: outcomes, summary: judge::check_summary(&report, exact) })
}

/// A loopback address of this run's own. A watch sees other network namespaces too, where the same ports may be in use.
fn own_address() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100 + high, middle, low.max(1))
}

fn judge(cell: Cell, port: u16, answer: Result<u64>, truth: &Truth, report: &Report) -> Outcome {
    let reported = PortReport::new(report, port);
    let mut differences = judge::differences(&cell, truth, &reported);
    match answer {
        Ok(succeeded) if succeeded == truth.requests() => {}
        Ok(succeeded) => differences.push(format!("the client reports {succeeded} requests")),
        Err(error) => differences.push(format!("{error:#}")),
    }
    Outcome {
        cell,
        requests: truth.requests(),
        connections: truth.accepted,
        exchanges: reported.count("exchanges"),
        opened: reported.count("opened"),
        differences,
    }
}

/// Runs one process per client, for all cells of the client. Returns the results in the order of the cells.
fn run_clients(cells: &[(Cell, SocketAddr)]) -> Vec<Result<u64>> {
    let same = |a: &(Cell, SocketAddr), b: &(Cell, SocketAddr)| std::ptr::eq(a.0.client, b.0.client);
    let batches: Vec<&[(Cell, SocketAddr)]> = cells.chunk_by(same).collect();
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..batches.len()).collect());
    let next = || queue.lock().expect("no worker has failed").pop_front();
    let work = || -> Vec<(usize, Vec<Result<u64>>)> {
        let mut done = Vec::new();
        while let Some(batch) = next() {
            done.push((batch, run_client(batches[batch])));
        }
        done
    };
    let mut answers = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("all clients have ended")).collect::<Vec<_>>()
    });
    answers.sort_by_key(|(batch, _)| *batch);
    answers.into_iter().flat_map(|(_, answers)| answers).collect()
}

/// Runs the cells of one client. A cell that hangs fails all of them, but no cells of other clients.
fn run_client(cells: &[(Cell, SocketAddr)]) -> Vec<Result<u64>> {
    catch_unwind(|| programs::run(cells[0].0.client, cells))
        .unwrap_or_else(|_| cells.iter().map(|_| Err(anyhow!("see the panic above"))).collect())
}
