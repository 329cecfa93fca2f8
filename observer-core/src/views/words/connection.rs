//! The row of a connection as a line of text.

use std::fmt::Write as _;

use super::{
    number::{approximately, exchanges, plural},
    process,
    time::time_of_day,
};
use crate::{
    model::{CloseKind, Closer, Connection, Protocol, RowKind, failure_name},
    tracker::Row,
};

pub(in crate::views) fn row(row: &Row) -> String {
    let connection = &row.event.connection;
    let (kind, details) = match row.event.kind {
        RowKind::Open => ("open", String::new()),
        RowKind::Exchange if connection.reused_exchanges() == 0 => ("new", "  exchange 1".into()),
        RowKind::Exchange => ("reused", format!("  exchange {}", connection.exchanges)),
        RowKind::Close => ("close", format!("  {}", close_details(connection))),
        RowKind::Failed => ("failed", format!("  {}", failure_name(connection.failure, connection.errno))),
    };
    let local = connection.local.map_or_else(String::new, |local| format!(" :{}", local.port()));
    let process = process(connection.process.as_deref(), connection.pid);
    format!("{} {kind:<6} {process}{local} → {}{details}", time_of_day(row.event.unix_ns), connection.remote)
}

/// Short enough for a line of 80 columns in the usual case.
fn close_details(connection: &Connection) -> String {
    let approximately = approximately(connection.exact);
    let reused = connection.reused_exchanges();
    let mut text = match (connection.exchanges, connection.exchanges - reused) {
        // HTTP/2 interleaves requests, so its turns are counted instead.
        (1.., _) if connection.protocol == Protocol::Http2 => {
            format!("HTTP/2, ≈{}", plural(connection.exchanges, "turn", "turns"))
        }
        // The connection may have carried exchanges that could not be counted.
        (0, _) if !connection.exact => exchanges(0, false),
        (0, _) if connection.first_is_new => "unused".into(),
        (0, _) => "no exchange".into(),
        (_, 0) => format!("{approximately}{reused} reused"),
        (1, _) => format!("{approximately}1 new"),
        _ => format!("{approximately}1 new, {approximately}{reused} reused"),
    };
    text.push_str(match (connection.closed_by, connection.how) {
        (_, CloseKind::Timeout) => ", timed out",
        (Closer::Local, CloseKind::Reset) => ", reset by us",
        (Closer::Peer, CloseKind::Reset) => ", reset by peer",
        (Closer::Local, _) => ", by us",
        (Closer::Peer, _) => ", by peer",
        (Closer::Unknown, _) => ", end not seen",
    });
    if let Some(unread) = connection.unread_bytes.filter(|unread| *unread > 0) {
        let _ = write!(text, ", {} unread", plural(unread.into(), "byte", "bytes"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inexact_connection_without_exchanges_is_not_called_unused() {
        let details = |exact| close_details(&Connection { exact, closed_by: Closer::Local, ..Connection::unknown() });
        assert_eq!([true, false].map(details), ["unused, by us", "≈0 exchanges, by us"]);
    }
}
