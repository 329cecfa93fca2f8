//! Local ports run out for one destination at a time: each connection to it, those in TIME_WAIT included, holds one.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
};

use super::Notice;
use crate::model::SocketState;

/// From this part of the range on it is said, in hundredths: connects begin to take longer, and soon fail.
const NEAR: u64 = 80;

/// Says once for each destination that its ports are nearly used up.
#[derive(Debug, Default)]
pub(super) struct Ports {
    said: HashSet<(IpAddr, u16)>,
}

impl Ports {
    /// `local_ports`: how many there are.
    pub(super) fn look(&mut self, states: &[SocketState], local_ports: u64) -> Vec<Notice> {
        let mut sockets: HashMap<(IpAddr, u16), u64> = HashMap::new();
        for state in states {
            *sockets.entry((state.remote, state.port)).or_default() += state.sockets;
        }
        let mut notices = Vec::new();
        for ((remote, port), n) in sockets {
            if n * 100 >= local_ports * NEAR && self.said.insert((remote, port)) {
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
    fn it_is_said_once_for_a_destination_and_only_near_the_end() {
        let state = |state, sockets| SocketState { remote: Ipv4Addr::LOCALHOST.into(), port: 80, state, sockets };
        let mut ports = Ports::default();
        assert!(ports.look(&[state(1, 39), state(6, 40)], 100).is_empty());
        assert_eq!(ports.look(&[state(1, 40), state(6, 40)], 100).len(), 1);
        assert!(ports.look(&[state(1, 40), state(6, 50)], 100).is_empty());
        assert_eq!(ports.look(&[SocketState { port: 81, ..state(6, 99) }], 100).len(), 1);
    }
}
