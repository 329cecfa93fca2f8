//! Recordings: files with the tracker's input during a watch. A replay feeds it to another tracker.

mod format;
mod read;
mod write;

pub use read::{Record, Recording};
pub use write::Encoder;

#[cfg(test)]
mod tests;
