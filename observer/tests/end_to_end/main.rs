//! The tool on real traffic, against a truth that is counted outside of it: by the servers, by the clients' own reports,
//! and by the peers that the tests are themselves. They need root and the programs of the distribution, and fail without.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod before;
mod blocked;
mod closes;
mod cost;
mod curl;
mod destinations;
mod diagnoses;
mod endings;
mod expectations;
mod failures;
mod fast_open;
mod filters;
mod flood;
mod groups;
mod haproxy;
mod http2;
mod http_turns;
mod kernel_paths;
mod lifecycles;
mod loss;
mod mptcp;
mod namespaces;
mod netstat;
mod nginx;
mod outputs;
mod ownership;
mod postgresql;
mod proxies;
mod reasons;
mod recording;
mod redis;
mod refusals;
mod rings;
mod runtimes;
mod server_first;
mod startup;
mod story;
mod support;
mod tls;
mod tls_records;
mod tls_turns;
mod turns;
mod upgrades;
