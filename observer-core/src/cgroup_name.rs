//! What a cgroup is called: the container or the systemd unit that it is for, told from its path as the container engines
//! and systemd write it. Pure functions over strings; `kernel/cgroups.rs` reads.
//!
//! Outside of both, the path is the name: it begins with a slash, which no container and no unit does.

/// What a path tells.
enum Found {
    Path(String),
    Unit(String),
    Container(String),
}

/// Of a cgroup with this path, from the root; None for the root itself.
pub fn of_path(path: &str) -> Option<String> {
    found(path).map(Found::into_name)
}

/// Of the cgroups that a process is in, as /proc/PID/cgroup has them: a line a hierarchy (cgroup v1), the one of v2 with
/// the number 0. Not every hierarchy has to tell: what tells the most is taken, by v2 and by systemd's own before others.
pub fn of_process(cgroups: &str) -> Option<String> {
    let mut lines: Vec<(&str, &str)> = cgroups.lines().filter_map(controllers_and_path).collect();
    lines.sort_by_key(|(controllers, _)| matches!(*controllers, "" | "name=systemd"));
    // Of several, the last.
    lines.into_iter().filter_map(|(_, path)| found(path)).max_by_key(Found::tells).map(Found::into_name)
}

/// The path in cgroup v2.
pub fn unified(cgroups: &str) -> Option<&str> {
    cgroups.lines().find_map(|line| line.strip_prefix("0::"))
}

/// From `12:cpu,cpuacct:/path`; the path may have colons (cgroups(7)).
fn controllers_and_path(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_once(':')
}

/// The innermost container counts before any unit, the innermost unit that is no slice before any slice.
fn found(path: &str) -> Option<Found> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    // A cgroup namespace shows what is above its own root as `..`.
    let parts = || path.split('/').filter(|part| !part.is_empty() && *part != "..");
    parts().next()?;
    if let Some(id) = parts().rev().find_map(container) {
        return Some(Found::Container(id.into()));
    }
    let unit = parts().rev().find(|part| is_unit(part, &UNITS) && *part != INIT);
    let unit = unit.or_else(|| parts().find(|part| *part == INIT));
    match unit.or_else(|| parts().rev().find(|part| is_unit(part, &[".slice"]))) {
        // systemd puts one before a name that the kernel has taken, or that begins with a dot or with one.
        Some(unit) => Some(Found::Unit(unit.strip_prefix('_').unwrap_or(unit).into())),
        None => Some(Found::Path(parts().flat_map(|part| ["/", part]).collect())),
    }
}

impl Found {
    fn tells(&self) -> u8 {
        match self {
            Self::Path(_) => 0,
            Self::Unit(_) => 1,
            Self::Container(_) => 2,
        }
    }

    fn into_name(self) -> String {
        let (Self::Path(name) | Self::Unit(name) | Self::Container(name)) = self;
        name
    }
}

/// The id in `ID`, `docker-ID.scope`, `crio-ID`, or `SLICE:cri-containerd:ID`, as docker, containerd, cri-o and podman name
/// cgroups; not in that of a monitor, which is none of the container's processes.
fn container(part: &str) -> Option<&str> {
    const ID_DIGITS: usize = 64;
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let at = name.len().checked_sub(ID_DIGITS)?;
    let (engine, id) = (name.get(..at)?, name.get(at..)?);
    let is_engine = engine.is_empty() || engine.ends_with(['-', ':']) && !engine.ends_with("conmon-");
    (is_engine && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))).then_some(id)
}

/// The first process of the machine, and the manager itself in a user's manager, whose service is the better name.
const INIT: &str = "init.scope";

/// Units that have processes, slices left out.
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

fn is_unit(part: &str, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| part.strip_suffix(kind).is_some_and(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests;
