//! The parts of the end-to-end tests' support that the matrix uses: the tool, a watch, and a watch's report.
#![allow(dead_code, reason = "the end-to-end tests use more of it")]

#[path = "../end_to_end/support/contract.rs"]
pub(crate) mod contract;
#[path = "../end_to_end/support/machine.rs"]
pub(crate) mod machine;
#[path = "../end_to_end/support/programs.rs"]
pub(crate) mod programs;
#[path = "../end_to_end/support/report.rs"]
pub(crate) mod report;
#[path = "../end_to_end/support/socket_table.rs"]
pub(crate) mod socket_table;
#[path = "../end_to_end/support/tool.rs"]
pub(crate) mod tool;
#[path = "../end_to_end/support/watch.rs"]
pub(crate) mod watch;
