//! Code that several commands share: the repository's paths, running programs, packages, and counting.

pub(crate) mod bpf;
pub(crate) mod cargo_test;
pub(crate) mod failures;
pub(crate) mod packages;
pub(crate) mod running;
pub(crate) mod statistics;
pub(crate) mod steps;
pub(crate) mod tally;
pub(crate) mod workspace;
