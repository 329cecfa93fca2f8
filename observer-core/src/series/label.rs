//! What series are told apart by. Never a pid or a source port: of these there is no end.

use std::net::IpAddr;

use crate::{
    model::{GroupSample, SocketState, address, name},
    printable::printable,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The process's name
    Process,
    /// The remote address
    Destination,
    /// The remote port
    Port,
    /// The process's container or systemd unit, else its cgroup
    Cgroup,
}

/// The values of the labels that were chosen; None for the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelSet {
    /// Without control characters. Empty if it is not known.
    pub process: Option<String>,
    pub destination: Option<IpAddr>,
    pub port: Option<u16>,
    /// Like `process`.
    pub cgroup: Option<String>,
}

impl LabelSet {
    /// None for what the kernel side had no room for: it has no one process and no one destination.
    pub(super) fn of_group(group: &GroupSample, chosen: &[Label]) -> Option<Self> {
        if group.key == tcp_reuse_watch_ebpf::OVERFLOW {
            return None;
        }
        let is = |label| chosen.contains(&label);
        let text = |text: Option<&str>| printable(text.unwrap_or_default());
        Some(Self {
            process: is(Label::Process).then(|| text(name(group.counters.comm).as_deref())),
            cgroup: is(Label::Cgroup).then(|| text(group.cgroup.as_deref())),
            ..Self::of_destination(address(group.key.addr), group.key.port, chosen)
        })
    }

    /// Sockets in a state belong to no process.
    pub(super) fn of_state(state: &SocketState, chosen: &[Label]) -> Self {
        Self::of_destination(state.remote, state.port, chosen)
    }

    fn of_destination(destination: IpAddr, port: u16, chosen: &[Label]) -> Self {
        let is = |label| chosen.contains(&label);
        Self {
            destination: is(Label::Destination).then_some(destination),
            port: is(Label::Port).then_some(port),
            ..Self::default()
        }
    }
}
