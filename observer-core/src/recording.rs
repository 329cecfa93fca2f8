//! Recordings: a file of the tracker's input during a watch, from which a replay feeds another tracker.

mod format;
mod read;
mod write;

pub use read::{Record, Recording};
pub use write::Encoder;

#[cfg(test)]
mod tests;
