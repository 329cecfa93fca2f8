//! Views turn rows and snapshots into text or a screen. They depend on nothing behind these.

mod json;
mod lines;
mod prometheus;
mod tui;
mod words;
pub mod wrap;

pub use json::JsonView;
pub use lines::{LinesView, watch_is_over};
pub use prometheus::{Format, encode};
pub use tui::{ActivityQuery, Outcome, Theme, Tui};

use crate::{
    model::About,
    tracker::{Finding, Row, Snapshot},
};

/// An output format. Each method returns whole lines, or nothing. Rows are the most frequent, so they are appended to the
/// output buffer without an allocation.
pub trait View {
    fn start(&self, about: &About) -> String;
    fn row(&self, row: &Row, output: &mut Vec<u8>);
    fn notice(&self, unix_ns: i64, kind: &str, message: &str) -> String;
    fn summary(&self, about: &About, snapshot: &Snapshot) -> String;
}

/// The name of a finding in JSON and for people.
fn finding_name(finding: Finding) -> &'static str {
    match finding {
        Finding::ResponseNotRead => "response-not-read",
        Finding::ClosedAfterResponse => "closed-after-response",
        Finding::PoolTooSmall => "pool-too-small",
        Finding::ClientPerRequest => "client-per-request",
        Finding::ProcessPerRequest => "process-per-request",
        Finding::ServerClosesEach => "server-closes-each",
        Finding::ServerIdleTimeout => "server-idle-timeout",
        Finding::ClientIdleTimeout => "client-idle-timeout",
        Finding::StaleConnection => "stale-connection",
        Finding::RequestCap => "request-cap",
        Finding::MaxLifetime => "max-lifetime",
        Finding::PortExhaustion => "port-exhaustion",
    }
}
