//! Port exhaustion. Local ports run out per destination, because each connection to it holds one, even in TIME_WAIT.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
};

use super::Notice;
use crate::model::SocketState;

/// Share of the range, in percent, above which connects take longer and soon fail.
const NEAR_PERCENT: u64 = 80;

/// Warns once for each destination.
#[derive(Debug, Default)]
pub(super) struct Ports {
    warned: HashSet<(IpAddr, u16)>,
}

impl Ports {
    /// `local_ports`: the size of the range.
    pub(super) fn check(&mut self, states: &[SocketState], local_ports: u64) -> Vec<Notice> {
        let mut sockets: HashMap<(IpAddr, u16), u64> = HashMap::new();
        for state in states {
            *sockets.entry((state.remote, state.port)).or_default() += state.sockets;
        }
        let mut notices = Vec::new();
        for ((remote, port), n) in sockets {
            if n * 100 >= local_ports * NEAR_PERCENT && self.warned.insert((remote, port)) {
                let to = SocketAddr::new(remote, port);
                let message =
                    format!("{n} of {local_ports} local ports are taken by sockets to {to}: connects will soon fail");
                notices.push(Notice { kind: "port-exhaustion", message });
            }
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn warns_once_per_destination_near_exhaustion() {
        let state = |state, sockets| SocketState { remote: Ipv4Addr::LOCALHOST.into(), port: 80, state, sockets };
        let mut ports = Ports::default();
        assert!(ports.check(&[state(1, 39), state(6, 40)], 100).is_empty());
        assert_eq!(ports.check(&[state(1, 40), state(6, 40)], 100).len(), 1);
        assert!(ports.check(&[state(1, 40), state(6, 50)], 100).is_empty());
        assert_eq!(ports.check(&[SocketState { port: 81, ..state(6, 99) }], 100).len(), 1);
    }
}
