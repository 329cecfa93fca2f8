//! Labels of the series. A pid or a source port is never a label, because its cardinality has no bound.

use std::net::IpAddr;

use crate::{
    model::{GroupSample, ip_address, process_name},
    printable::printable,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The process's name.
    Process,
    /// The remote address.
    Destination,
    /// The remote port.
    Port,
    /// The process's container or systemd unit, otherwise its cgroup's path.
    Cgroup,
}

/// The values of the enabled labels; None for the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelSet {
    /// Control characters are escaped. Empty if the name is not known.
    pub process: Option<String>,
    pub destination: Option<IpAddr>,
    pub port: Option<u16>,
    /// Escaped like `process`. Empty if it is not known.
    pub cgroup: Option<String>,
}

impl LabelSet {
    /// None for the kernel's overflow groups, because they belong to no single process or destination.
    pub(super) fn from_group(group: &GroupSample, enabled: &[Label]) -> Option<Self> {
        if group.key.is_overflow() {
            return None;
        }
        let has = |label| enabled.contains(&label);
        let text = |text: Option<&str>| printable(text.unwrap_or_default());
        Some(Self {
            process: has(Label::Process).then(|| text(process_name(group.counters.comm).as_deref())),
            cgroup: has(Label::Cgroup).then(|| text(group.cgroup.as_deref())),
            ..Self::from_destination(ip_address(group.key.addr), group.key.port, enabled)
        })
    }

    /// Without `process` and `cgroup`, because a socket in TIME_WAIT belongs to no process.
    pub(super) fn from_destination(destination: IpAddr, port: u16, enabled: &[Label]) -> Self {
        let has = |label| enabled.contains(&label);
        Self {
            destination: has(Label::Destination).then_some(destination),
            port: has(Label::Port).then_some(port),
            ..Self::default()
        }
    }
}
