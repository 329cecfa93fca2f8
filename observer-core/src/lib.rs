//! Everything that tcp-reuse-watch derives from the kernel's counters: the tracker, diagnoses, time series, recordings
//! and views. The crate is pure: no clock, no kernel, no threads and no `unsafe`. The program feeds it records and
//! samples and shows the results, so the same code runs in a watch, a replay, a unit test and a benchmark.
//!
//! Data flows one way, and imports point against it: `views` → `tracker` → `diagnosis` → `group` → `model`.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a panic is how a test fails"))]

pub mod cgroup_name;
pub mod comparison;
mod conclusion;
pub mod decode;
pub mod diagnosis;
pub mod gate;
pub mod group;
pub mod model;
pub mod printable;
pub mod recording;
pub mod runtime;
pub mod series;
mod time_base;
pub mod tracker;
pub mod views;

pub use conclusion::Conclusion;
pub use time_base::TimeBase;
