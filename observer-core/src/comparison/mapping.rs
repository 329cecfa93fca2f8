//! `--map OLD=NEW`: what is called OLD in BEFORE is called NEW in AFTER. Machines, addresses and programs are renamed between
//! two watches.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use super::{GroupId, Numbers, canonical_host, summary::SummaryGroup};
use crate::printable::printable;

/// The kernel cuts the names of processes to this many bytes.
const PROCESS_NAME_BYTES: usize = 15;

/// Maximum number of names that an error lists.
const MAX_LISTED: usize = 10;

/// An address, a host name, either with a port, or the name of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub old: String,
    pub new: String,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok(Self { old: old.into(), new: new.into() }),
            _ => {
                Err("use OLD=NEW: an address, a host name, host:port or a process name of BEFORE, and that of AFTER"
                    .into())
            }
        }
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.old, self.new)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum MappingError {
    /// BEFORE has no process, address or name of this kind. With what it has.
    Unmatched {
        old: String,
        processes: Vec<String>,
        remotes: Vec<String>,
    },
    Twice {
        old: String,
    },
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmatched { old, processes, remotes } => write!(
                f,
                "--map: BEFORE has no process or destination {}; its processes: {}; its destinations: {}",
                printable(old),
                listed(processes),
                listed(remotes)
            ),
            Self::Twice { old } => {
                write!(f, "--map: {} is mapped twice; give it one new value", printable(old))
            }
        }
    }
}

impl std::error::Error for MappingError {}

fn listed(names: &[String]) -> String {
    let text = names.iter().take(MAX_LISTED).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 if text.is_empty() => "none".into(),
        0 => text,
        beyond => format!("{text} and {beyond} more"),
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Destination {
    host: String,
    port: Option<u16>,
}

impl Destination {
    fn new(text: &str) -> Self {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self { host: canonical_host(&address.ip().to_string()), port: Some(address.port()) };
        }
        if text.parse::<IpAddr>().is_err()
            && let Some((host, port)) = text.rsplit_once(':')
            && let Ok(port) = port.parse()
        {
            return Self { host: canonical_host(host), port: Some(port) };
        }
        Self { host: canonical_host(text), port: None }
    }
}

/// The mappings, by what they apply to. A name that BEFORE has as a process means the process.
#[derive(Default)]
pub(super) struct Mapper {
    processes: BTreeMap<String, String>,
    destinations: BTreeMap<Destination, Destination>,
}

impl Mapper {
    pub(super) fn new(mappings: &[Mapping], before: &[SummaryGroup]) -> Result<Self, MappingError> {
        let mut mapper = Self::default();
        for Mapping { old, new } in mappings {
            let process = process_name(old);
            let is_new = if before.iter().any(|group| group.process.as_deref() == Some(process)) {
                mapper.processes.insert(process.into(), process_name(new).into()).is_none()
            } else if before.iter().any(|group| is_to(group, &Destination::new(old))) {
                mapper.destinations.insert(Destination::new(old), Destination::new(new)).is_none()
            } else {
                return Err(unmatched(old, before));
            };
            if !is_new {
                return Err(MappingError::Twice { old: old.clone() });
            }
        }
        Ok(mapper)
    }

    /// What a group of BEFORE is called in AFTER. Each mapping applies to what BEFORE has, so two values can be swapped.
    pub(super) fn map(&self, group: &SummaryGroup, use_names: bool) -> Option<GroupId> {
        let mut id = id(group, host(group, use_names)?);
        let new_process = id.process.as_ref().and_then(|process| self.processes.get(process));
        id.process = new_process.or(id.process.as_ref()).cloned();
        // A destination with a port is the more specific one.
        let mut matching: Vec<_> = self.destinations.iter().filter(|(old, _)| is_to(group, old)).collect();
        matching.sort_by_key(|(old, _)| old.port.is_none());
        if let Some((_, new)) = matching.first() {
            id.host.clone_from(&new.host);
            id.port = new.port.or(id.port);
        }
        Some(id)
    }

    /// What a group of AFTER is called. If a mapping leads to its name or its address, then that is what it is matched by.
    pub(super) fn new_id(&self, group: &SummaryGroup, use_names: bool) -> Option<GroupId> {
        let hosts = [true, false].into_iter().filter_map(|use_names| host(group, use_names));
        let mut mapped = hosts.filter(|host| self.destinations.values().any(|new| new.host == *host));
        Some(id(group, mapped.next().or_else(|| host(group, use_names))?))
    }

    /// Whether AFTER has the new value of a mapping.
    pub(super) fn leads_to(&self, mapping: &Mapping, news: &BTreeMap<Option<GroupId>, Numbers>) -> bool {
        let new_process = self.processes.get(process_name(&mapping.old));
        let new = Destination::new(&mapping.new);
        news.keys().flatten().any(|id| match new_process {
            Some(process) => id.process.as_ref() == Some(process),
            None => id.host == new.host && new.port.is_none_or(|port| id.port == Some(port)),
        })
    }
}

fn unmatched(old: &str, before: &[SummaryGroup]) -> MappingError {
    let processes: BTreeSet<String> = before.iter().filter_map(|group| group.process.clone()).collect();
    let ids = before.iter().flat_map(|group| [true, false].map(|use_names| Some(id(group, host(group, use_names)?))));
    let remotes: BTreeSet<String> = ids.flatten().map(|id| id.remote().to_string()).collect();
    MappingError::Unmatched {
        old: old.into(),
        processes: processes.into_iter().collect(),
        remotes: remotes.into_iter().collect(),
    }
}

fn is_to(group: &SummaryGroup, destination: &Destination) -> bool {
    let is_host = [true, false].into_iter().any(|use_names| host(group, use_names).as_ref() == Some(&destination.host));
    is_host && destination.port.is_none_or(|port| group.port == Some(port))
}

/// The name of the destination if names are used and it has one, else its address. None for an overflow row.
fn host(group: &SummaryGroup, use_names: bool) -> Option<String> {
    let name = group.name.as_deref().filter(|_| use_names).map(canonical_host);
    let address = || group.remote.map(|address| address.to_canonical().to_string());
    if group.overflow { None } else { name.or_else(address) }
}

fn id(group: &SummaryGroup, host: String) -> GroupId {
    GroupId { process: group.process.clone(), host, port: group.port }
}

/// As the kernel has it.
fn process_name(text: &str) -> &str {
    &text[..text.floor_char_boundary(PROCESS_NAME_BYTES)]
}
