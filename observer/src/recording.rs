//! Recordings: what the tracker of a watch was fed, in a file, from which another tracker can be fed the same.

mod format;
mod read;
mod write;

pub(crate) use read::{Record, Recording};
pub(crate) use write::{Recorder, RecordingFile};

#[cfg(test)]
mod tests;
