//! Everything that the program writes: text or the dashboard on standard output, the recording, the summary file, the
//! reports, the log.

mod dashboard;
pub(crate) mod diagnostics;
mod face;
pub(crate) mod recorder;
pub(crate) mod report_files;
pub(crate) mod screen;
mod stdout;
pub(crate) mod summary_file;
pub(crate) mod terminal;
mod text;
mod writer;
