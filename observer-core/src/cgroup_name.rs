//! The display name of a cgroup: the container or systemd unit that it belongs to, derived from its path in the
//! notations of the container engines and systemd. Pure functions over strings; `host/cgroups.rs` reads the file
//! system.
//!
//! A cgroup outside of both keeps its path as its name. The leading slash sets it apart, because no container id and no
//! unit name has one.

/// A cgroup's name and where it comes from.
enum Name {
    Path(String),
    Unit(String),
    Container(String),
}

/// The name of the cgroup at this path from the root; None for the root itself.
pub fn from_path(path: &str) -> Option<String> {
    parse(path).map(Name::into_string)
}

/// The name of a process's cgroup from the text of /proc/PID/cgroup. It has a line for each hierarchy of cgroup v1 and
/// one with the number 0 for v2. Not every hierarchy names the container or unit, so the most specific name wins, and
/// at a tie that of v2 or systemd's own hierarchy.
pub fn from_proc_cgroup(text: &str) -> Option<String> {
    let mut lines: Vec<(&str, &str)> = text.lines().filter_map(controllers_and_path).collect();
    lines.sort_by_key(|(controllers, _)| matches!(*controllers, "" | "name=systemd"));
    // `max_by_key` returns the last of several equal names.
    lines.into_iter().filter_map(|(_, path)| parse(path)).max_by_key(Name::rank).map(Name::into_string)
}

/// The path in cgroup v2 from the text of /proc/PID/cgroup.
pub fn v2_path(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// Splits `12:cpu,cpuacct:/path`. The path may contain colons (cgroups(7)).
fn controllers_and_path(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_once(':')
}

/// The innermost container wins over any unit, and the innermost unit that is not a slice wins over any slice.
fn parse(path: &str) -> Option<Name> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    // A cgroup namespace shows the levels above its own root as `..`.
    let parts = || path.split('/').filter(|part| !part.is_empty() && *part != "..");
    parts().next()?;
    if let Some(id) = parts().rev().find_map(container_id) {
        return Some(Name::Container(id.into()));
    }
    let unit = parts().rev().find(|part| is_unit(part, &PROCESS_UNITS) && *part != INIT);
    let unit = unit.or_else(|| parts().find(|part| *part == INIT));
    match unit.or_else(|| parts().rev().find(|part| is_unit(part, &[".slice"]))) {
        // systemd prefixes `_` to names that the kernel reserves or that begin with a dot or an underscore.
        Some(unit) => Some(Name::Unit(unit.strip_prefix('_').unwrap_or(unit).into())),
        None => Some(Name::Path(parts().flat_map(|part| ["/", part]).collect())),
    }
}

impl Name {
    /// More specific names have a higher rank.
    fn rank(&self) -> u8 {
        match self {
            Self::Path(_) => 0,
            Self::Unit(_) => 1,
            Self::Container(_) => 2,
        }
    }

    fn into_string(self) -> String {
        let (Self::Path(name) | Self::Unit(name) | Self::Container(name)) = self;
        name
    }
}

/// The id in `ID`, `docker-ID.scope`, `crio-ID` or `SLICE:cri-containerd:ID`, the notations of Docker, containerd,
/// CRI-O and Podman. The cgroup of a container's monitor (conmon) is excluded, because it holds none of the container's
/// processes.
fn container_id(part: &str) -> Option<&str> {
    const ID_DIGITS: usize = 64;
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let at = name.len().checked_sub(ID_DIGITS)?;
    let (engine, id) = (name.get(..at)?, name.get(at..)?);
    let is_engine = engine.is_empty() || engine.ends_with(['-', ':']) && !engine.ends_with("conmon-");
    (is_engine && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))).then_some(id)
}

/// The scope of PID 1 and, under a user's service manager, of that manager. The manager's service is the better name.
const INIT: &str = "init.scope";

/// Kinds of units that hold processes, without slices.
const PROCESS_UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

fn is_unit(part: &str, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| part.strip_suffix(kind).is_some_and(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests;
