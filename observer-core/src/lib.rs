//! What the kernel has counted, and everything that is made of it: the tracker, diagnoses, time series, recordings and
//! views. Pure: no clock, no kernel, no threads and no `unsafe`. A program feeds it records and samples, and shows what
//! comes out, which is why all of it runs in unit tests, in replays and in benchmarks as it does in a watch.
//!
//! Data flows one way, and imports point against it: `views` → `tracker` → `diagnosis` → `group` → `model`.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod cgroup_name;
pub mod decode;
pub mod diagnosis;
pub mod group;
pub mod model;
pub mod printable;
pub mod recording;
pub mod runtime;
pub mod series;
mod time_base;
pub mod tracker;
pub mod views;

pub use time_base::TimeBase;
