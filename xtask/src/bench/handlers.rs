//! The cost of one send and of one receive, separately for calls that change the tool's state and calls that do not.
//! Loads mix them; here each kind runs alone.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::Scope;
use super::bpf::{Cost, Empty, Statistics, since};
use super::contestant::Contestant;
use super::excluded;
use super::report::{Section, Verdict};
use crate::support::statistics::Quartiles;

/// Names of the programs at sends and at receives, for every set of hooks (observer-ebpf/src/bpf/hooks).
const SENDS: [&str; 3] = ["send", "fentry_send", "kprobe_send"];
const RECEIVES: [&str; 1] = ["receive"];

/// HTTP, like most watched traffic: the protocol decides how much of a send the tool reads.
pub(super) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
pub(super) const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

const PIECE: usize = 64;
/// Bytes that are sent at once and read in pieces. They fit into the initial receive buffer of a socket.
const BURST: usize = 32 << 10;

/// A port without connections.
pub(super) const ELSEWHERE: u16 = 9;

#[derive(Clone, Copy, PartialEq)]
enum Traffic {
    /// Only sends of the client, of one request
    Up,
    /// Only receives of the client, of one response
    Down,
    /// Each send is a request, and each receive a response
    Turns,
}

/// Costs of the programs at sends and at receives, and of the empty program.
#[derive(Clone, Copy)]
struct Costs {
    send: Cost,
    receive: Cost,
    empty: Cost,
}

impl Costs {
    fn net(self, of: Cost) -> f64 {
        of.net_ns(self.empty) / of.runs as f64
    }
}

pub(super) fn measure(tool: &Path, scope: Scope) -> Result<Section> {
    let calls = scope.of(200_000, 20_000) as usize;
    let (mut steady, mut changing) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut other = [Vec::new(), Vec::new()];
    for _ in 0..scope.rounds {
        let [up, down, turns] =
            [Traffic::Up, Traffic::Down, Traffic::Turns].map(|traffic| run(tool, traffic, calls, true));
        let (up, down, turns) = (up?, down?, turns?);
        let elsewhere = run(tool, Traffic::Turns, calls, false)?;
        let passed_by = [elsewhere.net(elsewhere.send), elsewhere.net(elsewhere.receive)];
        steady[0].push(up.net(up.send));
        steady[1].push(down.net(down.receive));
        // Half of the calls are the server's, whose sockets the filter excludes.
        changing[0].push(2.0 * turns.net(turns.send) - passed_by[0]);
        changing[1].push(2.0 * turns.net(turns.receive) - passed_by[1]);
        other[0].push(passed_by[0]);
        other[1].push(passed_by[1]);
    }
    let mut section = Section::default();
    section.paragraph(&format!(
        "Nanoseconds per call, net of an empty program at the same tracepoints in the same run; {} rounds of {calls} \
         calls each.",
        scope.rounds
    ));
    let mut rows: Vec<Vec<String>> = vec![["call", "send", "receive"].map(Into::into).into()];
    for (name, [send, receive]) in
        [("changes no state", &steady), ("changes state", &changing), ("on an unwatched socket", &other)]
    {
        let spread = |values: &Vec<f64>| format!("{:.0}", Quartiles::of(values.iter().copied()));
        rows.push(vec![name.into(), spread(send), spread(receive)]);
    }
    section.table(&rows);
    for (name, values, most) in [("changes no state", steady, 80.0), ("changes state", changing, 160.0)] {
        let [send, receive] = values.map(Quartiles::of);
        section.verdict(Verdict::new(
            format!("send and receive handlers, a call that {name}: ≤ {most} ns net of an empty program"),
            format!("send {send:.0} ns, receive {receive:.0} ns"),
            send.median <= most && receive.median <= most,
        ));
    }
    excluded::add_to(&mut section, tool, scope)?;
    Ok(section)
}

fn run(tool: &Path, traffic: Traffic, calls: usize, is_watched: bool) -> Result<Costs> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let watched = if is_watched { port } else { ELSEWHERE };
    let started = Contestant::Quiet.start(tool, watched, &[])?;
    let server = thread::spawn(move || serve(&listener, traffic));
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_nodelay(true)?;
    // One turn before the measurement, to leave out the cost of setting up the connection.
    turn(&mut client, traffic)?;
    let (_statistics, empty) = (Statistics::start()?, Empty::attach()?);
    let before = started.programs();
    ask(&mut client, traffic, calls)?;
    let (programs, empty) = (since(started.programs(), &before), empty.cost());
    drop(client);
    server.join().map_err(|_| anyhow!("the server panicked"))??;
    started.stop()?;
    let cost = |names: &[&str]| -> Result<Cost> {
        let found = programs.iter().find(|program| names.contains(&program.name.as_str()) && program.cost.runs > 0);
        Ok(found.with_context(|| format!("none of {names:?} ran: {programs:?}"))?.cost)
    };
    Ok(Costs { send: cost(&SENDS)?, receive: cost(&RECEIVES)?, empty })
}

fn serve(listener: &TcpListener, traffic: Traffic) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let received = stream.read(&mut buffer)?;
        match traffic {
            _ if received == 0 => return Ok(()),
            Traffic::Up => {}
            Traffic::Down => stream.write_all(&buffer[..BURST])?,
            Traffic::Turns => stream.write_all(RESPONSE)?,
        }
    }
}

fn ask(client: &mut TcpStream, traffic: Traffic, calls: usize) -> Result<()> {
    match traffic {
        Traffic::Up => (0..calls).try_for_each(|_| client.write_all(&[0; PIECE]))?,
        Traffic::Down => (0..calls * PIECE / BURST).try_for_each(|_| turn(client, traffic))?,
        Traffic::Turns => (0..calls).try_for_each(|_| turn(client, traffic))?,
    }
    Ok(())
}

/// One request and its response.
fn turn(client: &mut TcpStream, traffic: Traffic) -> Result<()> {
    client.write_all(REQUEST)?;
    let mut piece = [0; PIECE];
    match traffic {
        Traffic::Up => {}
        Traffic::Turns => client.read_exact(&mut piece[..RESPONSE.len()])?,
        Traffic::Down => {
            // Wait for all of the response before the first read, because a queue that runs empty changes state.
            thread::sleep(Duration::from_millis(1));
            (0..BURST / PIECE).try_for_each(|_| client.read_exact(&mut piece))?;
        }
    }
    Ok(())
}
