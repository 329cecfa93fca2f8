//! The counting rule over random conversations, against counts that it has no part in.
//!
//! `turns` compares it with a model of it. The other files write conversations of a protocol, of which they know how many
//! exchanges they have, and play them: sends that the kernel takes in chunks, answers that come and are read in pieces,
//! and hooks that are skipped or see no bytes. A number is right, or it is marked.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod buffers;
mod cases;
mod hostile;
mod http1;
mod judge;
mod memcached;
mod mysql;
mod observed;
mod play;
mod postgresql;
mod redis;
mod script;
mod tls;
mod turned;
mod turns;
mod wire;
mod wrapped;

use proptest::{prelude::ProptestConfig, test_runner::RngSeed};

/// 2000 cases of each property, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000);
    let defaults = ProptestConfig::default();
    // The same conversations each time, unless PROPTEST_RNG_SEED asks for others: a run must not fail by chance.
    let rng_seed = if defaults.rng_seed == RngSeed::Random { RngSeed::Fixed(14) } else { defaults.rng_seed };
    ProptestConfig { cases, failure_persistence: None, rng_seed, ..defaults }
}
