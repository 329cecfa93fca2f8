//! Views: each reads a row or a snapshot, and nothing behind it.

mod json;
mod lines;

pub(crate) use json::JsonView;
pub(crate) use lines::LinesView;

use crate::{
    event::{About, Cause, Failure, Why},
    tracker::{Row, Snapshot},
};

/// A way of showing a watch. Each method gives whole lines, or nothing.
pub(crate) trait View {
    fn start(&self, about: &About) -> String;
    fn row(&self, row: &Row) -> String;
    fn notice(&self, unix_ns: i64, kind: &str, message: &str) -> String;
    fn summary(&self, about: &About, snapshot: &Snapshot) -> String;
}

/// The name of an error, for a person and for JSON alike.
fn failure_name(failure: Failure, errno: u32) -> String {
    match failure {
        Failure::Refused => "ECONNREFUSED".into(),
        Failure::TimedOut => "ETIMEDOUT".into(),
        Failure::HostUnreachable => "EHOSTUNREACH".into(),
        Failure::NetworkUnreachable => "ENETUNREACH".into(),
        Failure::Reset => "ECONNRESET".into(),
        Failure::AddressNotAvailable => "EADDRNOTAVAIL".into(),
        Failure::Abandoned => "abandoned".into(),
        Failure::Other if errno == u32::MAX => "unknown".into(),
        Failure::Other => format!("errno {errno}"),
    }
}

/// Why a connection was opened.
fn why_name(why: Why) -> &'static str {
    match why {
        Why::First => "first",
        Why::Concurrency => "concurrency",
        Why::Replaced => "replaced",
        Why::MissedReuse => "missed-reuse",
    }
}

/// What a connection ended by.
fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Unknown => "unknown",
        Cause::Unused => "unused",
        Cause::ProcessExit => "process-exit",
        Cause::ResetByPeer => "reset-by-peer",
        Cause::UnreadResponse => "unread-response",
        Cause::Aborted => "aborted",
        Cause::TimedOut => "timed-out",
        Cause::ClosedAfterResponse => "closed-after-response",
        Cause::ServerClosedAfterResponse => "server-closed-after-response",
        Cause::ClientIdle => "client-idle",
        Cause::ServerIdle => "server-idle",
    }
}
