//! Where rows, notices and summaries go: standard output as text or as a dashboard, a recording, a summary file, the log.

mod dashboard;
pub(crate) mod diagnostics;
mod face;
pub(crate) mod recorder;
pub(crate) mod screen;
mod stdout;
pub(crate) mod summary_file;
pub(crate) mod terminal;
mod text;
mod writer;
