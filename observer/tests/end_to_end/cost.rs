//! Excluded sockets cost only the port check. The kernel measures the run time of the watch's programs, with
//! `kernel.bpf_stats_enabled` on.

use aya::sys::{Stats, enable_stats};

use crate::support::{
    kernel::loaded_by,
    machine::Machine,
    peer::{Peer, ask},
};

const CONNECTIONS: u64 = 2_000;
const ROUNDS: usize = 5;

/// The cost of a watch's BPF programs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    runs: u64,
    run_ns: u64,
}

impl Cost {
    fn ns_per_run(self) -> f64 {
        self.run_ns as f64 / self.runs as f64
    }

    fn ns_per_connection(self) -> f64 {
        self.run_ns as f64 / CONNECTIONS as f64
    }
}

/// Makes connections to `peer`, each with three exchanges, while the watch is on `port`.
fn flood(machine: &Machine, port: u16, peer: &Peer, before: u64) -> Cost {
    let watch = machine.watch(format!("-p {port}"));
    for _ in 0..CONNECTIONS {
        let mut stream = peer.connect();
        (0..3).for_each(|_| ask(&mut stream));
    }
    peer.wait_for(before + CONNECTIONS);
    let programs = loaded_by(watch.tool.id()).programs;
    let cost = Cost {
        runs: programs.iter().map(|program| program.runs).sum(),
        run_ns: programs.iter().map(|program| program.run_ns).sum(),
    };
    let counted = if port == peer.port() { CONNECTIONS } else { 0 };
    assert_eq!(watch.end().total("opened"), counted);
    cost
}

/// The cost of a flood to the watched port, and of one to another port.
fn measure(machine: &Machine) -> (Cost, Cost) {
    let (watched, other) = (Peer::echo(), Peer::echo());
    // Warms the CPU caches.
    flood(machine, watched.port(), &watched, 0);
    let included = flood(machine, watched.port(), &watched, CONNECTIONS);
    let excluded = flood(machine, watched.port(), &other, 0);
    for (name, cost) in [("included", included), ("excluded", excluded)] {
        println!("{name}: {cost:?}: {:.0} ns a run, {:.0} a connection", cost.ns_per_run(), cost.ns_per_connection());
    }
    (included, excluded)
}

#[test]
fn excluded_sockets_cost_less_than_half() {
    let machine = Machine::alone();
    let _statistics = enable_stats(Stats::RunTime).expect("cannot enable the kernel's BPF statistics");
    // The programs run for every socket of the machine, so other tests' sockets add to both numbers, as excluded ones.
    let is_little = (0..ROUNDS).map(|_| measure(&machine)).any(|(included, excluded)| {
        excluded.ns_per_run() < included.ns_per_run() / 2.0
            && excluded.ns_per_connection() < included.ns_per_connection() / 2.0
    });
    assert!(is_little, "excluded sockets cost at least half as much as watched ones in each of {ROUNDS} rounds");
}
