//! Decodes records of the ring buffer into [`Event`]s. Malformed input is rejected, never trusted.

use std::{fmt, net::SocketAddr};

use tcp_reuse_watch_ebpf::{self as wire, flag};

use crate::{
    TimeBase,
    model::{
        Activity, Application, CAUSES, Cause, CloseKind, Closer, Connection, ConnectionKey, ConnectionState, Event,
        FAILURES, Failure, Protocol, RowKind, WHYS, Why, ip_address, process_name,
    },
};

/// Why a record cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    Length(usize),
    Kind(u32),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => {
                write!(f, "a record of {length} bytes, where {} are expected", size_of::<wire::Connection>())
            }
            Self::Kind(kind) => write!(f, "a record of unknown kind {kind}"),
        }
    }
}

/// Decodes one record of the ring buffer.
pub fn decode(bytes: &[u8], time_base: TimeBase) -> Result<Event, Malformed> {
    let record: wire::Connection =
        bytemuck::try_pod_read_unaligned(bytes).map_err(|_| Malformed::Length(bytes.len()))?;
    let kind = [RowKind::Open, RowKind::Exchange, RowKind::Close, RowKind::Failed]
        .into_iter()
        .find(|kind| *kind as u32 == record.row_kind)
        .ok_or(Malformed::Kind(record.row_kind))?;
    Ok(event(kind, &record, time_base))
}

/// Converts a complete record to an event of this kind.
pub fn event(kind: RowKind, record: &wire::Connection, time_base: TimeBase) -> Event {
    Event {
        kind,
        unix_ns: time_base.unix_ns(record.row_ns),
        key: ConnectionKey { socket: record.socket, connect_ns: record.connect_ns },
        group: if record.flags & flag::OVERFLOW != 0 { wire::OVERFLOW } else { record.group },
        connection: connection(record),
    }
}

/// Determines a connection's current activity from its complete record.
pub fn activity(record: &wire::Connection, time_base: TimeBase) -> Activity {
    let is_live = record.flags & flag::LIVE != 0;
    let idle_since =
        || (record.last_receive_us > 0).then(|| time_base.unix_ns(record.last_receive_us.saturating_mul(1000)));
    let state = match () {
        () if record.phase == wire::Phase::Connecting as u8 => ConnectionState::Connecting,
        () if !is_live => ConnectionState::Closing,
        () if record.flags & flag::IDLE != 0 => ConnectionState::Idle(idle_since()),
        () => ConnectionState::Busy,
    };
    Activity { state, exchanges: record.exchanges, is_exact: record.flags & flag::INEXACT == 0 }
}

fn connection(record: &wire::Connection) -> Connection {
    let since = |begin_us: u64| {
        (record.ended_ns > 0 && begin_us > 0).then(|| (record.ended_ns / 1000).saturating_sub(begin_us))
    };
    let how = from_number(
        record.how,
        [CloseKind::Fin, CloseKind::Reset, CloseKind::Timeout],
        |value| value as u8,
        CloseKind::Unknown,
    );
    let was_close_seen = how != CloseKind::Unknown;
    Connection {
        pid: (record.group.tgid > 0).then_some(record.group.tgid),
        process: process_name(record.comm),
        local: (record.local_port > 0).then(|| SocketAddr::new(ip_address(record.local_addr), record.local_port)),
        remote: SocketAddr::new(ip_address(record.group.addr), record.group.port),
        pre_existing: record.flags & flag::PRE_EXISTING != 0,
        first_is_new: record.flags & flag::USED_BEFORE == 0,
        why: (record.flags & flag::PRE_EXISTING == 0)
            .then(|| from_number(record.why, WHYS, |why| why as u8, Why::First))
            .filter(|why| *why != Why::Unknown),
        replaced_cause: cause(record.replaced_cause),
        idle_at_open: record.idle_at_open,
        idle_at_end: record.idle_at_end,
        busy_at_open: record.busy_at_open,
        cause: cause(record.cause),
        exchanges: record.exchanges,
        sent_bytes: was_close_seen.then_some(record.sent_bytes),
        received_bytes: was_close_seen.then_some(record.received_bytes),
        unread_bytes: was_close_seen.then_some(record.unread_bytes),
        lifetime_us: since(record.established_ns / 1000),
        idle_us: since(record.last_receive_us),
        closed_by: from_number(record.closed_by, [Closer::Local, Closer::Peer], |value| value as u8, Closer::Unknown),
        how,
        protocol: from_number(
            record.conversation.protocol,
            [Protocol::Plain, Protocol::Tls, Protocol::Http2],
            |value| value as u8,
            Protocol::Unknown,
        ),
        application: Application::of(record.conversation.application.into()),
        exact: record.flags & flag::INEXACT == 0,
        avoidable: (record.flags & flag::OVERFLOW == 0).then_some(record.flags & flag::AVOIDABLE != 0),
        failure: from_number(record.failure, FAILURES, |value| value as u8, Failure::Other),
        errno: record.error,
    }
}

fn cause(number: u8) -> Option<Cause> {
    CAUSES.into_iter().find(|cause| *cause as u8 == number)
}

/// The element of `values` with this number, otherwise `unknown`.
fn from_number<T: Copy, const N: usize>(number: u8, values: [T; N], number_of: fn(T) -> u8, unknown: T) -> T {
    values.into_iter().find(|value| number_of(*value) == number).unwrap_or(unknown)
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;
    use crate::time_base::MAX_UNIX_NS;

    fn record() -> wire::Connection {
        let mut record = wire::Connection::zeroed();
        record.row_kind = RowKind::Close as u32;
        record.group.tgid = 42;
        record.group.port = 8080;
        record.group.addr = "::ffff:127.0.0.1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        record.comm[..4].copy_from_slice(b"curl");
        record
    }

    #[test]
    fn complete_record_decodes_to_an_event() {
        let mut record = record();
        (record.established_ns, record.ended_ns, record.last_receive_us) = (5_000_000, 9_000_000, 8_500);
        let event = decode(bytemuck::bytes_of(&record), TimeBase::new(0)).unwrap();
        assert_eq!(event.kind, RowKind::Close);
        assert_eq!(event.connection.remote.to_string(), "127.0.0.1:8080");
        assert_eq!((event.connection.pid, event.connection.process.as_deref()), (Some(42), Some("curl")));
        assert_eq!((event.connection.lifetime_us, event.connection.idle_us), (Some(4000), Some(500)));
        assert_eq!(event.connection.local, None);
    }

    #[test]
    fn unassigned_application_number_decodes_as_unknown() {
        let decoded = |application| {
            let mut record = record();
            record.conversation.application = application;
            event(RowKind::Close, &record, TimeBase::new(0)).connection.application
        };
        assert_eq!(decoded(Application::Redis as u8), Application::Redis);
        assert_eq!([0, 254, 255].map(decoded), [Application::Unknown; 3]);
    }

    #[test]
    fn malformed_records_are_rejected_and_unknown_values_are_harmless() {
        let time_base = TimeBase::new(0);
        assert_eq!(decode(&[], time_base), Err(Malformed::Length(0)));
        assert_eq!(decode(&[0], time_base), Err(Malformed::Length(1)));
        let good = record();
        let good = bytemuck::bytes_of(&good);
        assert_eq!(decode(&good[1..], time_base), Err(Malformed::Length(good.len() - 1)));
        assert_eq!(decode(&[good, &[0]].concat(), time_base), Err(Malformed::Length(good.len() + 1)));
        assert_eq!(decode(&vec![0; good.len()], time_base), Err(Malformed::Kind(0)));
        let mut bytes = vec![0xff; good.len()];
        assert_eq!(decode(&bytes, time_base), Err(Malformed::Kind(u32::MAX)));
        bytes[..4].copy_from_slice(&(RowKind::Open as u32).to_ne_bytes());
        let event = decode(&bytes, time_base);
        assert!(event.is_ok_and(|event| event.connection.how == CloseKind::Unknown));
    }

    #[test]
    fn times_that_no_clock_shows_become_the_nearest_bound() {
        let time_base = TimeBase::new(1_800_000_000_000_000_000);
        for ns in [1 << 63, u64::MAX] {
            let mut record = record();
            (record.row_ns, record.last_receive_us, record.phase) = (ns, ns, wire::Phase::Established as u8);
            record.flags = flag::LIVE | flag::IDLE;
            assert_eq!(event(RowKind::Close, &record, time_base).unix_ns, MAX_UNIX_NS);
            assert_eq!(activity(&record, time_base).state, ConnectionState::Idle(Some(MAX_UNIX_NS)));
        }
        assert_eq!(event(RowKind::Close, &record(), TimeBase::new(-1)).unix_ns, 0);
    }

    #[test]
    fn process_name_that_is_not_utf_8_stays_readable() {
        let mut record = record();
        record.comm = [0xff; 16];
        assert_eq!(event(RowKind::Open, &record, TimeBase::new(0)).connection.process.unwrap().chars().count(), 16);
    }
}
