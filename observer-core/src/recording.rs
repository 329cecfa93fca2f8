//! Recordings: what the tracker of a watch was fed, in a file, from which another tracker can be fed the same.

mod format;
mod read;
mod write;

pub use read::{Record, Recording};
pub use write::Encoder;

#[cfg(test)]
mod tests;
