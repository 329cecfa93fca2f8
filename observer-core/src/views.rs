//! Views turn rows and snapshots into text or a screen. They depend on nothing that produces these.

mod advice;
mod comparison;
mod diagnosis_notices;
pub(crate) mod evidence;
mod gates;
mod hook_notice;
mod json;
mod lines;
mod prometheus;
mod report;
mod tui;
mod words;
pub mod wrap;

pub use comparison::{comparison_json, comparison_lines, comparison_markdown, verdict_sentence};
pub use diagnosis_notices::diagnosis_notices;
pub use gates::gate_lines;
pub use hook_notice::hook_notice;
pub use json::JsonView;
pub use lines::{LinesView, ended_watch_line};
pub use prometheus::{Format, encode};
pub use report::{junit, markdown};
pub use tui::{ActivityQuery, Outcome, Theme, Tui};

use crate::{conclusion::Conclusion, model::WatchInfo, tracker::Row};

/// An output format. Each method returns whole lines, or nothing. Rows are appended to the output buffer instead,
/// because they are by far the most frequent output.
pub trait View {
    fn start(&self, about: &WatchInfo) -> String;
    fn row(&self, row: &Row, output: &mut Vec<u8>);
    fn notice(&self, unix_ns: i64, kind: &str, message: &str) -> String;
    fn summary(&self, conclusion: &Conclusion) -> String;
}
