//! Port exhaustion. Local ports run out per source address and destination, because each connection between the two holds
//! one, even in TIME_WAIT.

use std::{collections::HashSet, net::SocketAddr};

use super::Notice;
use crate::model::{Listing, PortSpace};

/// Share of the ports, in percent, above which connects take longer and soon fail.
const NEAR_PERCENT: u64 = 80;

/// Warns once for each source address and destination.
#[derive(Debug, Default)]
pub(super) struct Ports {
    warned: HashSet<PortSpace>,
}

impl Ports {
    pub(super) fn check(&mut self, listing: &Listing) -> Vec<Notice> {
        let all = listing.local_ports;
        let near = listing.sockets_by_port_space().into_iter().filter(|(_, taken)| taken * 100 >= all * NEAR_PERCENT);
        let new = near.filter(|(space, _)| self.warned.insert(*space));
        let notice = |(PortSpace { local, remote, port }, taken)| {
            let to = SocketAddr::new(remote, port);
            let from = local.map(|local| format!(" of {local}")).unwrap_or_default();
            let message =
                format!("{taken} of {all} local ports{from} are taken by sockets to {to}: connects will soon fail");
            Notice { kind: "port-exhaustion", message }
        };
        new.map(notice).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::SocketState;

    /// The messages for sockets between two of these addresses: the last byte of the source, state and number.
    fn messages(ports: &mut Ports, sockets: &[(Option<u8>, u16, u64)]) -> Vec<String> {
        let address = |last| Ipv4Addr::new(10, 0, 0, last).into();
        let state = |&(local, state, sockets): &(Option<u8>, u16, u64)| SocketState {
            local: local.map(address),
            remote: address(9),
            port: 80,
            state,
            sockets,
        };
        let listing = Listing { states: sockets.iter().map(state).collect(), local_ports: 100 };
        ports.check(&listing).into_iter().map(|notice| notice.message).collect()
    }

    #[test]
    fn warns_once_per_source_and_destination_near_exhaustion() {
        let mut ports = Ports::default();
        let warning = |from| {
            format!("80 of 100 local ports of {from} are taken by sockets to 10.0.0.9:80: connects will soon fail")
        };
        assert!(messages(&mut ports, &[(Some(1), 1, 39), (Some(1), 6, 40), (Some(2), 6, 79)]).is_empty());
        assert_eq!(messages(&mut ports, &[(Some(1), 1, 40), (Some(1), 6, 40)]), [warning("10.0.0.1")]);
        assert_eq!(messages(&mut ports, &[(Some(1), 1, 90), (Some(2), 6, 80)]), [warning("10.0.0.2")]);
        assert!(messages(&mut ports, &[(Some(1), 1, 90), (Some(2), 6, 90)]).is_empty());
    }

    #[test]
    fn recording_without_source_addresses_is_judged_by_destination() {
        let expected = "99 of 100 local ports are taken by sockets to 10.0.0.9:80: connects will soon fail";
        assert_eq!(messages(&mut Ports::default(), &[(None, 6, 99)]), [expected]);
    }
}
