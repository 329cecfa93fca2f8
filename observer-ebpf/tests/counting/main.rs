//! The counting rule over random conversations, compared with independent counts.
//!
//! `model` compares the rule with a model. The other files write conversations of a protocol with a known number of
//! exchanges and play them: the kernel takes sends in chunks, answers arrive and are read in pieces, and hooks are
//! skipped or see no bytes. A count must be right or marked.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod assertions;
mod buffers;
mod hostile;
mod http1;
mod inexact;
mod memcached;
mod model;
mod mysql;
mod observed;
mod play;
mod postgresql;
mod redis;
mod regressions;
mod script;
mod tls;
mod wire;
mod wrapped;

use proptest::{prelude::ProptestConfig, test_runner::RngSeed};

/// 2000 cases of each property, unless PROPTEST_CASES sets another number.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000);
    let defaults = ProptestConfig::default();
    // A fixed seed unless PROPTEST_RNG_SEED sets one, so a run never fails by chance.
    let rng_seed = if defaults.rng_seed == RngSeed::Random { RngSeed::Fixed(14) } else { defaults.rng_seed };
    ProptestConfig { cases, failure_persistence: None, rng_seed, ..defaults }
}
