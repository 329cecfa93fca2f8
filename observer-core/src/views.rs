//! Views: each reads a row or a snapshot, and nothing behind it.

mod advice;
pub(crate) mod evidence;
mod json;
mod lines;
mod notice;
mod prometheus;
mod tui;
mod words;
pub mod wrap;

pub use json::JsonView;
pub use lines::{LinesView, watch_is_over};
pub use notice::diagnosis_notice;
pub use prometheus::{Format, encode};
pub use tui::{ActivityQuery, Outcome, Theme, Tui};

use crate::{
    model::{About, Failure},
    tracker::{Row, Snapshot},
};

/// A way of showing a watch. Each method gives whole lines, or nothing; rows, of which there are the most, are written to
/// where they wait.
pub trait View {
    fn start(&self, about: &About) -> String;
    fn row(&self, row: &Row, waiting: &mut Vec<u8>);
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
