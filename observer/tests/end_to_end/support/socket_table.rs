//! The kernel's table of TCP sockets, /proc/net/tcp.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// States of a socket (include/net/tcp_states.h).
pub(crate) const TIME_WAIT: &str = "06";
const FIN_WAIT1: &str = "04";
const LAST_ACK: &str = "09";
const CLOSING: &str = "0B";

/// How long to wait for a FIN. Some tests end with one that nobody will acknowledge.
const FIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Waits until no FIN to or from these ports is on its way. A busy kernel delivers one some time after `close()` has
/// returned, also on loopback, and only then are both sockets closed.
pub(crate) fn await_fins(ports: &[u16]) {
    let ports: Vec<String> = ports.iter().copied().map(hexadecimal).collect();
    let is_in_flight = |row: Row| {
        [FIN_WAIT1, LAST_ACK, CLOSING].contains(&row.state.as_str())
            && ports.iter().any(|port| row.local.ends_with(port) || row.remote.ends_with(port))
    };
    // The second table is missing where IPv6 is.
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter(|table| fs::exists(table).is_ok_and(|is| is));
    let end = Instant::now() + FIN_TIMEOUT;
    while tables.clone().flat_map(rows).any(is_in_flight) && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
}

/// The states of all IPv4 sockets with this remote port, from the kernel's socket table.
pub(crate) fn states(port: u16) -> Vec<String> {
    let port = hexadecimal(port);
    rows("/proc/net/tcp").filter(|row| row.remote.ends_with(&port)).map(|row| row.state).collect()
}

/// A socket in the kernel's table.
struct Row {
    local: String,
    remote: String,
    state: String,
}

fn rows(table: &str) -> impl Iterator<Item = Row> + use<> {
    let table = fs::read_to_string(table).expect("the kernel lists sockets");
    let row = |line: &str| {
        let mut words = line.split_whitespace().skip(1).map(str::to_owned);
        Some(Row { local: words.next()?, remote: words.next()?, state: words.next()? })
    };
    // The first line names the columns.
    table.lines().skip(1).filter_map(row).collect::<Vec<_>>().into_iter()
}

/// How an address in the table ends.
fn hexadecimal(port: u16) -> String {
    format!(":{port:04X}")
}
