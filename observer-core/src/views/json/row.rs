//! The row of a connection, written by hand because there can be tens of thousands a second: this takes a third of
//! serde's time and allocates nothing (docs/BENCHMARKS.md). serde escapes every field name each time and formats
//! addresses piece by piece.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use super::time::Time;
use crate::{
    model::{CloseKind, Closer, Connection, Protocol, RowKind, cause_name, failure_name, why_name},
    tracker::Row,
};

/// Appends fields to an object that already has one.
macro_rules! fields {
    ($line:ident, $($name:literal: $value:expr,)*) => {{
        $(
            $line.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
            Value::write($value, $line);
        )*
    }};
}

/// Appends the row and a line feed.
pub(super) fn write(row: &Row, line: &mut Vec<u8>) {
    let connection = &row.event.connection;
    line.extend_from_slice(b"{\"type\":");
    kind(row.event.kind).write(line);
    fields! { line,
        "time": Time(row.event.unix_ns),
        "id": row.id,
        "pid": connection.pid,
        "process": connection.process.as_deref().map(Text),
    }
    match row.event.kind {
        RowKind::Open => {
            opening(connection, line);
            // Known only after the first ask.
            fields! { line, "avoidable": None::<bool>, }
        }
        RowKind::Exchange => fields! { line,
            "remote": connection.remote,
            "port": connection.remote.port(),
            "n": connection.exchanges,
            "reused": connection.exchanges > 1 || !connection.first_is_new,
            "application": connection.application.name(),
        },
        RowKind::Close => {
            opening(connection, line);
            fields! { line,
                "exchanges": connection.exchanges,
                "reused": connection.reused_exchanges(),
                "sent_bytes": connection.sent_bytes,
                "received_bytes": connection.received_bytes,
                "lifetime_us": connection.lifetime_us,
                "idle_us": connection.idle_us,
                "unread_bytes": connection.unread_bytes,
                "closed_by": closed_by(connection.closed_by),
                "how": how(connection.how),
                "cause": connection.cause.map(cause_name),
                "protocol": protocol(connection.protocol),
                "application": connection.application.name(),
                "exact": connection.exact,
                "avoidable": connection.avoidable,
            }
        }
        RowKind::Failed => {
            opening(connection, line);
            fields! { line, "error": Text(&failure_name(connection.failure, connection.errno)), }
        }
    }
    line.extend_from_slice(b"}\n");
}

fn opening(connection: &Connection, line: &mut Vec<u8>) {
    let Connection { local, remote, pre_existing, why, replaced_cause, .. } = *connection;
    fields! { line,
        "local": local,
        "remote": remote,
        "port": remote.port(),
        "pre_existing": pre_existing,
        "why": why.map(why_name),
        "replaced_cause": replaced_cause.map(cause_name),
    }
}

fn kind(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Open => "open",
        RowKind::Exchange => "exchange",
        RowKind::Close => "close",
        RowKind::Failed => "failed",
    }
}

fn closed_by(closer: Closer) -> Option<&'static str> {
    match closer {
        Closer::Local => Some("local"),
        Closer::Peer => Some("peer"),
        Closer::Unknown => None,
    }
}

fn how(kind: CloseKind) -> Option<&'static str> {
    match kind {
        CloseKind::Fin => Some("fin"),
        CloseKind::Reset => Some("rst"),
        CloseKind::Timeout => Some("timeout"),
        CloseKind::Unknown => None,
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Plain => "plain",
        Protocol::Tls => "tls",
        Protocol::Http2 => "http2",
        Protocol::Unknown => "unknown",
    }
}

/// The value of a field.
trait Value {
    fn write(self, line: &mut Vec<u8>);
}

impl<T: Value> Value for Option<T> {
    fn write(self, line: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(line),
            None => line.extend_from_slice(b"null"),
        }
    }
}

impl Value for u64 {
    fn write(self, line: &mut Vec<u8>) {
        line.extend_from_slice(itoa::Buffer::new().format(self).as_bytes());
    }
}

impl Value for u32 {
    fn write(self, line: &mut Vec<u8>) {
        u64::from(self).write(line);
    }
}

impl Value for u16 {
    fn write(self, line: &mut Vec<u8>) {
        u64::from(self).write(line);
    }
}

impl Value for bool {
    fn write(self, line: &mut Vec<u8>) {
        line.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

/// A name from this program, which needs no escaping.
impl Value for &'static str {
    fn write(self, line: &mut Vec<u8>) {
        line.push(b'"');
        line.extend_from_slice(self.as_bytes());
        line.push(b'"');
    }
}

/// Text that may need escaping.
struct Text<'a>(&'a str);

impl Value for Text<'_> {
    fn write(self, line: &mut Vec<u8>) {
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(line, self.0);
    }
}

impl Value for Time {
    fn write(self, line: &mut Vec<u8>) {
        self.with_parts(|second, ns| {
            line.push(b'"');
            line.extend_from_slice(second.as_bytes());
            // Padded to nine digits: the first of these ten is cut off.
            line.extend_from_slice(&itoa::Buffer::new().format(1_000_000_000 + ns).as_bytes()[1..]);
            line.extend_from_slice(b"Z\"");
        });
    }
}

impl Value for SocketAddr {
    fn write(self, line: &mut Vec<u8>) {
        line.push(b'"');
        match self {
            Self::V4(address) => v4(address, line),
            // Writing to memory cannot fail.
            Self::V6(address) => drop(write!(line, "{address}")),
        }
        line.push(b'"');
    }
}

fn v4(address: SocketAddrV4, line: &mut Vec<u8>) {
    let mut separator: &[u8] = b"";
    for octet in Ipv4Addr::octets(address.ip()) {
        line.extend_from_slice(separator);
        u16::from(octet).write(line);
        separator = b".";
    }
    line.push(b':');
    address.port().write(line);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model::{Application, Cause, ConnectionKey, Event, Failure, GroupKey, Why};

    fn line(kind: RowKind, connection: Connection) -> String {
        let key = ConnectionKey { socket: 1, connect_ns: 2 };
        let event = Event { kind, unix_ns: 1_800_000_000_000_000_012, key, group: GroupKey::default(), connection };
        let mut line = Vec::new();
        write(&Row { id: 7, event }, &mut line);
        String::from_utf8(line).unwrap()
    }

    fn object(kind: RowKind, connection: Connection) -> Json {
        serde_json::from_str(&line(kind, connection)).unwrap()
    }

    fn everything_known() -> Connection {
        Connection {
            pid: Some(u32::MAX),
            process: Some("a \"b\" \\ \u{1b}[31m é".into()),
            local: Some("10.0.0.255:65535".parse().unwrap()),
            remote: "[fe80::1]:80".parse().unwrap(),
            pre_existing: true,
            first_is_new: true,
            why: Some(Why::MissedReuse),
            replaced_cause: Some(Cause::ServerIdle),
            cause: Some(Cause::ResetByPeer),
            exchanges: 5,
            sent_bytes: Some(u64::MAX),
            received_bytes: Some(0),
            lifetime_us: Some(1),
            idle_us: Some(2),
            unread_bytes: Some(3),
            closed_by: Closer::Peer,
            how: CloseKind::Reset,
            protocol: Protocol::Http2,
            application: Application::Http2,
            exact: false,
            avoidable: Some(true),
            failure: Failure::Other,
            errno: 99,
            ..Connection::unknown()
        }
    }

    #[test]
    fn known_values_are_written_in_full() {
        let close = json!({
            "type": "close", "time": "2027-01-15T08:00:00.000000012Z", "id": 7, "pid": u32::MAX,
            "process": "a \"b\" \\ \u{1b}[31m é", "local": "10.0.0.255:65535", "remote": "[fe80::1]:80", "port": 80,
            "pre_existing": true, "why": "missed-reuse", "replaced_cause": "server-idle", "exchanges": 5, "reused": 4,
            "sent_bytes": u64::MAX, "received_bytes": 0, "lifetime_us": 1, "idle_us": 2, "unread_bytes": 3,
            "closed_by": "peer", "how": "rst", "cause": "reset-by-peer", "protocol": "http2",
            "application": "http2", "exact": false, "avoidable": true,
        });
        assert_eq!(object(RowKind::Close, everything_known()), close);
        assert_eq!(object(RowKind::Failed, everything_known())["error"], "errno 99");
        let exchange = object(RowKind::Exchange, everything_known());
        assert_eq!((&exchange["n"], &exchange["reused"]), (&json!(5), &json!(true)));
        assert_eq!(exchange["application"], "http2");
        assert_eq!(object(RowKind::Open, everything_known())["type"], "open");
    }

    #[test]
    fn unknown_values_are_null_and_in_place() {
        assert_eq!(
            line(RowKind::Close, Connection::unknown()),
            concat!(
                r#"{"type":"close","time":"2027-01-15T08:00:00.000000012Z","id":7,"pid":null,"process":null,"#,
                r#""local":null,"remote":"0.0.0.0:0","port":0,"pre_existing":false,"why":null,"replaced_cause":null,"#,
                r#""exchanges":0,"reused":0,"sent_bytes":null,"received_bytes":null,"lifetime_us":null,"idle_us":null,"#,
                r#""unread_bytes":null,"closed_by":null,"how":null,"cause":null,"protocol":"unknown","#,
                r#""application":null,"exact":true,"avoidable":null}"#,
                "\n"
            )
        );
    }
}
