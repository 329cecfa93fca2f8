//! Numbers, times and names as people read them: in lines, on the dashboard and in sentences.

mod caveats;
mod command;
mod connection;
mod number;
mod time;

pub(super) use caveats::{caveats, inexactness, losses, netstat};
pub(super) use command::{command_end, command_line};
pub(super) use connection::row;
pub(super) use number::{approximately, bar_length, exchanges, fit_number, plural, ratio, thousands};
pub(super) use time::{brief_time, clock, short_time, time_of_day};

use std::net::SocketAddr;

use crate::{
    diagnosis::{Confidence, Diagnosis},
    model::WatchInfo,
    printable::printable,
    tracker::GroupRow,
};

/// The ports and filters of a watch.
pub(super) fn watched(about: &WatchInfo) -> String {
    let ports: String = match about.ports.as_slice() {
        [] => "every port".into(),
        [port] if !port.contains('-') => format!("port {port}"),
        ports => format!("ports {}", ports.join(", ")),
    };
    printable(&[ports].iter().chain(&about.filters).map(String::as_str).collect::<Vec<_>>().join(" · "))
}

/// Like `curl[1234]`.
fn process(name: Option<&str>, pid: Option<u32>) -> String {
    let name = name.map_or_else(|| "?".into(), printable);
    pid.map_or_else(|| name.clone(), |pid| format!("{name}[{pid}]"))
}

/// The process and the destination of a group. The overflow row has no destination.
pub(super) fn names(group: &GroupRow) -> (String, String) {
    let Some(name) = &group.name else {
        let of_user = group.user.map(|uid| format!(" of uid {uid}")).unwrap_or_default();
        return (format!("(others{of_user})"), String::new());
    };
    let process = match group.processes {
        Some(n) if n > 1 => format!("{} ×{n}", process(name.process.as_deref(), None)),
        _ => process(name.process.as_deref(), group.pid),
    };
    (process, SocketAddr::new(name.remote, name.port).to_string())
}

/// The confidence of a diagnosis, to append to its name.
pub(super) fn confidence(diagnosis: &Diagnosis) -> &'static str {
    match diagnosis.confidence {
        _ if diagnosis.finding().is_healthy() => " (healthy)",
        Confidence::Certain => "",
        Confidence::Likely => " (likely)",
        Confidence::Possible => " (possibly)",
    }
}
