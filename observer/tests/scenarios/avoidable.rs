//! How many connections a pool would have saved: every case that COUNTING.md lists, and random loads, compared with the
//! client's own ledger.

use std::{
    io::Write as _,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Barrier},
};

use anyhow::{Result, ensure};
use rustix::io::Errno;

use crate::{
    endings,
    expected::{Close, Differences, Expected, Unread},
    hook_set::HookSet,
    ledger::{Client, Ledger, Pool},
    machine::Machine,
    messages::{read_request, read_to_end, serve, serve_one},
    peer::{Peer, Truth, connect as connected, listener},
    scenario::{Scenario, SoloScenario},
    sockets::{ClosedPort, connect, reset_on_close, socket},
    watch::Watch,
};

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("avoidable: ten in sequence", in_sequence, &[(10, Close::TYPICAL)]),
    Scenario::new("avoidable: the server closes each", closed_by_peer, &[(5, Close::BY_PEER)]),
    Scenario::new(
        "avoidable: the peer resets each",
        reset_by_peer,
        &[(5, Close { how: "rst", unread_bytes: Unread::Undefined, cause: "reset-by-peer", ..Close::BY_PEER })],
    ),
    Scenario::new("avoidable: shut down both ways", shut_down_both_ways, &[(5, Close::TYPICAL)]),
    Scenario::new("avoidable: a burst of ten", burst, &[(10, Close::TYPICAL)]),
    Scenario::new(
        "avoidable: a pool that keeps two",
        keeps_two,
        &[(40, Close::TYPICAL), (2, Close { exchanges: 5, ..Close::TYPICAL })],
    ),
    Scenario::new("avoidable: ten left idle", left_idle, &[(10, Close::TYPICAL)]),
    Scenario::new("avoidable: ten opened ahead", opened_ahead, &[(10, Close::TYPICAL)]),
    Scenario {
        name: "avoidable: refused, unused, then a burst",
        run: unused_then_burst,
        expected: Expected { failures: &[("ECONNREFUSED", 3)], closes: &[(3, Close::UNUSED), (10, Close::TYPICAL)] },
    },
    Scenario::new("avoidable: four addresses in turn", addresses, &[(40, Close::TYPICAL)]),
    Scenario::new(
        "avoidable: four processes, three connections each",
        processes,
        &[(12, Close { cause: "process-exit", ..Close::TYPICAL })],
    ),
    Scenario::new("avoidable: half-closed, answer awaited", half_closed, &[(2, Close::TYPICAL)]),
    Scenario::new(
        "avoidable: reset by the client",
        reset,
        &[(3, Close { how: "rst", cause: "aborted", ..Close::TYPICAL })],
    ),
];

pub(crate) const SOLO: &[SoloScenario] = &[
    SoloScenario { name: "avoidable: two pre-existing connections", run: pre_existing },
    SoloScenario { name: "avoidable: random loads, rows lost", run: random_loads },
];

fn in_sequence() -> Result<Truth> {
    let (peer, mut ledger) = (Peer::new(serve)?, Ledger::new());
    (0..10).try_for_each(|_| ledger.ask_once(&peer))?;
    truth(&peer, &ledger, (10, 1))
}

fn closed_by_peer() -> Result<Truth> {
    let peer = Peer::new(|mut stream| Ok(serve_one(&mut stream).into()))?;
    // A connection stops serving when the peer closes it, even if the client has not closed its side yet.
    in_sequence_and_held(&peer, Ledger::wait_for_fin)
}

fn reset_by_peer() -> Result<Truth> {
    let peer = Peer::new(|mut stream| {
        let served = serve_one(&mut stream);
        reset_on_close(&stream)?;
        Ok(served.into())
    })?;
    in_sequence_and_held(&peer, Ledger::wait_for_reset)
}

/// The peer keeps its side open.
fn shut_down_both_ways() -> Result<Truth> {
    let all_are_shut_down = Arc::new(Barrier::new(6));
    let barrier = Arc::clone(&all_are_shut_down);
    let peer = Peer::new(move |mut stream| {
        let served = serve_one(&mut stream);
        barrier.wait();
        Ok(served.into())
    })?;
    let mut ledger = Ledger::new();
    let held = ask_in_sequence(&peer, &mut ledger, Ledger::shut_down)?;
    all_are_shut_down.wait();
    drop(held);
    truth(&peer, &ledger, (5, 1))
}

/// Makes five connections in sequence. `end` ends each of them before the next one.
fn ask_in_sequence(
    peer: &Peer,
    ledger: &mut Ledger,
    end: fn(&mut Ledger, Client) -> Result<TcpStream>,
) -> Result<Vec<TcpStream>> {
    let ask = |_| {
        let mut client = ledger.connect(peer)?;
        ledger.ask(&mut client)?;
        end(ledger, client)
    };
    (0..5).map(ask).collect()
}

fn in_sequence_and_held(peer: &Peer, end: fn(&mut Ledger, Client) -> Result<TcpStream>) -> Result<Truth> {
    let mut ledger = Ledger::new();
    let held = ask_in_sequence(peer, &mut ledger, end)?;
    drop(held);
    truth(peer, &ledger, (5, 1))
}

fn burst() -> Result<Truth> {
    let (peer, mut ledger) = (Peer::new(serve)?, Ledger::new());
    let clients = ask_at_once(&peer, &mut ledger, Vec::new(), 10)?;
    close_all(&mut ledger, clients);
    truth(&peer, &ledger, (10, 10))
}

fn keeps_two() -> Result<Truth> {
    let (peer, mut ledger) = (Peer::new(serve)?, Ledger::new());
    let mut kept = Vec::new();
    for _ in 0..5 {
        kept = ask_at_once(&peer, &mut ledger, kept, 10)?;
        let surplus = kept.split_off(2);
        close_all(&mut ledger, surplus);
    }
    close_all(&mut ledger, kept);
    truth(&peer, &ledger, (42, 10))
}

fn left_idle() -> Result<Truth> {
    let (peer, mut ledger) = (Peer::new(serve)?, Ledger::new());
    let mut idle = Vec::new();
    for _ in 0..10 {
        let mut client = ledger.connect(&peer)?;
        ledger.ask(&mut client)?;
        idle.push(client);
    }
    close_all(&mut ledger, idle);
    truth(&peer, &ledger, (10, 10))
}

fn opened_ahead() -> Result<Truth> {
    let (peer, mut ledger) = (Peer::new(serve)?, Ledger::new());
    let mut pool = (0..10).map(|_| ledger.connect(&peer)).collect::<Result<Vec<_>>>()?;
    pool.iter_mut().try_for_each(|client| ledger.ask(client))?;
    close_all(&mut ledger, pool);
    truth(&peer, &ledger, (10, 10))
}

fn unused_then_burst() -> Result<Truth> {
    let closed = ClosedPort::new()?;
    for _ in 0..3 {
        connect(socket()?, closed.address, Err(Errno::CONNREFUSED))?;
    }
    let (peer, mut ledger) = (Peer::on(closed.listen(16)?, serve)?, Ledger::new());
    for _ in 0..3 {
        let unused = ledger.connect(&peer)?;
        ledger.close(unused);
    }
    let clients = ask_at_once(&peer, &mut ledger, Vec::new(), 10)?;
    close_all(&mut ledger, clients);
    truth(&peer, &ledger, (10, 10))
}

/// A name that resolves to four addresses. A connection to one address cannot replace a connection to another.
fn addresses() -> Result<Truth> {
    let peer = Peer::on(listener(Ipv4Addr::UNSPECIFIED.into())?, serve)?;
    let mut ledgers = [const { Ledger::new() }; 4];
    for _ in 0..10 {
        for (ledger, last) in ledgers.iter_mut().zip(1..) {
            let mut client = ledger.adopt(connected(SocketAddr::from(([127, 0, 0, last], peer.address.port())))?);
            ledger.ask(&mut client)?;
            ledger.close(client);
        }
    }
    let mut sum = Pool::default();
    for pool in ledgers.iter().map(Ledger::pool) {
        sum.asked += pool.asked;
        sum.needed += pool.needed;
        sum.avoidable += pool.avoidable;
    }
    ensure!(sum == Pool { asked: 40, needed: 4, avoidable: 36 }, "the ledgers say {sum:?}");
    Ok(Truth { pool: Some(sum), ..peer.truth(40)? })
}

/// Each process has three connections at once.
fn processes() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    (0..4).try_for_each(|_| endings::run_child(peer.address))?;
    Ok(Truth { pool: Some(Pool { asked: 12, needed: 12, avoidable: 0 }), ..peer.truth(12)? })
}

/// A connection that is shut down for writing only still serves.
fn half_closed() -> Result<Truth> {
    let both_have_asked = Barrier::new(2);
    let peer = Peer::new(move |mut stream| {
        let answer_bytes = read_request(&mut stream).map_or(0, |bytes| bytes as usize);
        both_have_asked.wait();
        // The server must not close before the client has ended sending.
        read_to_end(&mut stream)?;
        stream.write_all(&vec![b'.'; answer_bytes])?;
        Ok(1)
    })?;
    let mut ledger = Ledger::new();
    let (mut first, mut second) = (ledger.connect(&peer)?, ledger.connect(&peer)?);
    for client in [&mut first, &mut second] {
        ledger.send_request(client)?;
        client.stream.shutdown(Shutdown::Write)?;
    }
    for mut client in [first, second] {
        ensure!(read_to_end(&mut client.stream)? == 100, "the answer is not whole");
        ledger.close(client);
    }
    truth(&peer, &ledger, (2, 2))
}

fn reset() -> Result<Truth> {
    let (peer, mut ledger) = (Peer::new(serve)?, Ledger::new());
    for _ in 0..3 {
        let mut client = ledger.connect(&peer)?;
        ledger.ask(&mut client)?;
        reset_on_close(&client.stream)?;
        ledger.close(client);
    }
    truth(&peer, &ledger, (3, 1))
}

/// Two pre-existing connections stay open while five more are made in sequence.
fn pre_existing(_: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    let (peer, mut ledger) = (Peer::new(serve)?, Ledger::new());
    let kept = ask_at_once(&peer, &mut ledger, Vec::new(), 2)?;
    let watch = Watch::start(&hooks.name, &[])?;
    (0..5).try_for_each(|_| ledger.ask_once(&peer))?;
    close_all(&mut ledger, kept);
    let truth = truth(&peer, &ledger, (7, 3))?;
    let report = watch.end()?;
    let mut all = Differences::default();
    truth.compare_pool(&report, hooks, &mut all);
    Ok(all.0)
}

/// Connects, asks and closes in a pseudo-random order, while the ring buffer is full.
fn random_loads(_: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    const STEPS: u32 = 400;
    let watch = Watch::start(&hooks.name, &["--ring-size", "4096"])?;
    watch.pause()?;
    let mut truths = Vec::new();
    for seed in 1..=4 {
        let (peer, mut ledger) = (Peer::new(serve)?, Ledger::new());
        let (mut random, mut open) = (Random(seed), Vec::<Client>::new());
        for _ in 0..STEPS {
            match random.below(5) {
                0 | 1 if open.len() < 20 => open.push(ledger.connect(&peer)?),
                2 if !open.is_empty() => {
                    let chosen = random.below(open.len());
                    ledger.close(open.swap_remove(chosen));
                }
                _ if !open.is_empty() => {
                    let chosen = random.below(open.len());
                    ledger.ask(&mut open[chosen])?;
                }
                _ => {}
            }
        }
        close_all(&mut ledger, open);
        truths.push(Truth { pool: Some(ledger.pool()), ..peer.truth(ledger.connections())? });
    }
    watch.resume()?;
    let report = watch.end()?;
    let mut all = Differences::default();
    all.check(report.total("events_lost") > 0, || "events_lost expected at least 1 got 0".into());
    for truth in truths {
        truth.compare_pool(&report, hooks, &mut all);
    }
    Ok(all.0)
}

/// Uniform pseudo-random numbers (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}

/// Opens connections until there are `total`, and sends a request on each before it reads any answer.
fn ask_at_once(peer: &Peer, ledger: &mut Ledger, kept: Vec<Client>, total: usize) -> Result<Vec<Client>> {
    let mut clients = kept;
    while clients.len() < total {
        clients.push(ledger.connect(peer)?);
    }
    clients.iter_mut().try_for_each(|client| ledger.send_request(client))?;
    clients.iter_mut().try_for_each(Ledger::read_answer)?;
    Ok(clients)
}

fn close_all(ledger: &mut Ledger, clients: Vec<Client>) {
    for client in clients {
        ledger.close(client);
    }
}

/// The peer's counts and the ledger's, after a check of the ledger against the given counts.
fn truth(peer: &Peer, ledger: &Ledger, (asked, needed): (u64, u64)) -> Result<Truth> {
    let pool = ledger.pool();
    ensure!(pool == Pool { asked, needed, avoidable: asked - needed }, "the ledger says {pool:?}");
    Ok(Truth { pool: Some(pool), ..peer.truth(ledger.connections())? })
}
