//! The connections that the server keeps, and which one makes room for a new one.
//!
//! Each peer has a share, so a client that holds many connections, or fills them slowly, closes only its own.

use std::{
    cell::Cell,
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    rc::Rc,
};

use tokio::{task::JoinHandle, time::Instant};

/// Simultaneous connections, and how many of them one peer may have.
const MAX_CONNECTIONS: usize = 16;
const MAX_PER_PEER: usize = MAX_CONNECTIONS / 2;

/// Who shares a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Address(IpAddr),
    /// The user id of a process that connected to a Unix socket. None if the kernel does not say.
    User(Option<u32>),
}

impl Peer {
    /// Hosts have a whole /64 of IPv6 addresses.
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// A connection. Dropping it closes the connection.
struct Client {
    peer: Peer,
    task: JoinHandle<()>,
    /// When the client connected or sent its last request.
    active_at: Rc<Cell<Instant>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
pub(super) struct Clients(Vec<Client>);

impl Clients {
    /// Adds a connection. `start` begins to serve it, and gets the time of its last request to keep up to date.
    pub(super) fn add(&mut self, peer: Peer, start: impl FnOnce(Rc<Cell<Instant>>) -> JoinHandle<()>) {
        self.0.retain(|client| !client.task.is_finished());
        let connections: Vec<_> = self.0.iter().map(|client| (client.peer, client.active_at.get())).collect();
        if let Some(index) = to_close(&connections, peer) {
            self.0.swap_remove(index);
        }
        let active_at = Rc::new(Cell::new(Instant::now()));
        let task = start(Rc::clone(&active_at));
        self.0.push(Client { peer, task, active_at });
    }
}

/// Which connection a new one of this peer replaces, given the peer and the last activity of each: the idlest of the
/// same peer if it has used up its share, and otherwise, if all places are taken, the idlest of the peers that have most.
fn to_close<T: Ord + Copy>(connections: &[(Peer, T)], newcomer: Peer) -> Option<usize> {
    let mut counts: HashMap<Peer, usize> = HashMap::from([(newcomer, 1)]);
    for (peer, _) in connections {
        *counts.entry(*peer).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or_default();
    let candidates = |is_candidate: &dyn Fn(&Peer) -> bool| {
        let candidates = connections.iter().enumerate().filter(|(_, (peer, _))| is_candidate(peer));
        candidates.min_by_key(|(_, (_, active_at))| *active_at).map(|(index, _)| index)
    };
    if counts[&newcomer] > MAX_PER_PEER {
        candidates(&|peer| *peer == newcomer)
    } else if connections.len() >= MAX_CONNECTIONS {
        candidates(&|peer| counts[peer] == most)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32) -> Peer {
        Peer::User(Some(uid))
    }

    /// So many connections of each user, the last ones most recently active.
    fn connections(counts: &[(u32, usize)]) -> Vec<(Peer, usize)> {
        let peers = counts.iter().flat_map(|(uid, count)| std::iter::repeat_n(user(*uid), *count));
        peers.enumerate().map(|(n, peer)| (peer, n)).collect()
    }

    #[test]
    fn places_are_free_up_to_the_limits() {
        assert_eq!(to_close(&connections(&[]), user(1)), None);
        assert_eq!(to_close(&connections(&[(1, MAX_PER_PEER - 1), (2, MAX_PER_PEER)]), user(1)), None);
    }

    #[test]
    fn peer_past_its_share_closes_its_own_idlest() {
        assert_eq!(to_close(&connections(&[(2, 1), (1, MAX_PER_PEER)]), user(1)), Some(1));
    }

    #[test]
    fn greediest_peer_makes_room_for_others() {
        // The connection of user 3 has been idle longest of all.
        assert_eq!(to_close(&connections(&[(3, 1), (2, 7), (1, 8)]), user(4)), Some(8));
        assert_eq!(to_close(&connections(&[(3, 2), (2, 7), (1, 7)]), user(3)), Some(2));
        // The newcomer would be the greediest.
        assert_eq!(to_close(&connections(&[(3, 4), (2, 4), (4, 4), (1, 4)]), user(1)), Some(12));
    }

    #[test]
    fn idlest_makes_room_among_equals() {
        let equals: Vec<_> = (0..16).map(|uid| (uid, 1)).collect();
        assert_eq!(to_close(&connections(&equals), user(99)), Some(0));
        assert_eq!(to_close(&connections(&equals), user(5)), Some(5));
    }

    #[test]
    fn addresses_of_one_host_are_one_peer() {
        let peer = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::2"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_ne!(peer("10.0.0.1"), peer("10.0.0.2"));
    }
}
