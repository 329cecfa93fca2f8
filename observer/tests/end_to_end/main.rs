//! The tool on real traffic, against a truth that is counted outside of it: by the servers, by the clients' own reports,
//! and by the peers that the tests are themselves. They need root and the programs of the distribution, and fail without.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod before;
mod blocked;
mod closes;
mod cost;
mod curl;
mod destinations;
mod endings;
mod failures;
mod filters;
mod flood;
mod groups;
mod lifecycles;
mod loss;
mod netstat;
mod outputs;
mod refusals;
mod startup;
mod story;
mod support;
mod tls;
mod turns;
