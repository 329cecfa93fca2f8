//! A target of `cargo xtask fuzz`: the rule must agree with the model, and count generated conversations of each protocol
//! right or mark them. The input is the sequence of actions for the model. For a conversation it is the seed of its
//! generator, and the tape that decides what the kernel does with it.
#![no_main]
#![allow(dead_code, unused_imports, unused_macros, reason = "the properties are compiled for tests only")]

mod assertions;
mod buffers;
mod http1;
mod memcached;
mod model;
mod mysql;
mod observed;
mod play;
mod postgresql;
mod redis;
mod script;
mod tls;
mod wire;
mod wrapped;

use libfuzzer_sys::fuzz_target;
use proptest::{
    prelude::ProptestConfig,
    strategy::{Strategy, ValueTree as _},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use model::{Action, BYTES, HTTP, Kind, TLS, compare_bytes, compare_http, compare_tls};
use observed::Observed;
use play::{Faults, Tape, play};

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// Positions at which a connection is taken over: a new one, and some beyond 31 and 32 bits.
const STARTS: [(u64, u64); 4] = [(0, 0), (1, 1), ((1 << 31) - 40, (1 << 32) - 40), (5 << 32, (1 << 31) - 1)];

/// An action of three bytes. `whole`: everything is read at once.
fn action(bytes: [u8; 3], kinds: &[Kind], whole: bool) -> Action {
    let [choice, number @ ..] = bytes;
    let number = u16::from_le_bytes(number);
    match choice % 8 {
        0..3 => Action::Write(kinds[usize::from(choice >> 3) % kinds.len()], number % 2000),
        // Larger than "100 Continue" in TLS 1.2, whose size is significant.
        3 | 4 => Action::Arrive(100 + number % 2900),
        5 | 6 if whole => Action::Read(1_000_000),
        5 | 6 => Action::Read(1 + u32::from(number) % 4000),
        _ => Action::Hook,
    }
}

/// The value that a strategy generates from this seed.
fn generated<S: Strategy>(seed: [u8; 4], strategy: &S) -> Option<S::Value> {
    let seed = [seed, *b"ABCD", *b"EFGH", *b"IJKL"].concat();
    let mut runner = TestRunner::new_with_rng(config(), TestRng::from_seed(RngAlgorithm::XorShift, &seed));
    strategy.new_tree(&mut runner).ok().map(|tree| tree.current())
}

/// The first byte chooses the comparison, and the start or the faults.
fn judge(bytes: &[u8]) -> Option<()> {
    let (choice, bytes) = bytes.split_first()?;
    let at = STARTS[usize::from(choice >> 3) % STARTS.len()];
    let actions = |kinds: &[Kind], whole| -> Vec<Action> {
        bytes.as_chunks().0.iter().map(|bytes| action(*bytes, kinds, whole)).collect()
    };
    let judgement = match choice % 5 {
        0 => compare_bytes(&actions(BYTES, false), at),
        1 => compare_http(&actions(HTTP, false), at),
        2 => compare_tls(&actions(TLS, true), at),
        choice => {
            let (seed, tape) = bytes.split_first_chunk()?;
            let (first, tape) = tape.split_first()?;
            let (wrapping, (inner, application)) = generated(*seed, &(wrapped::wrappings(), wrapped::conversations()))?;
            let (script, tape) = (wrapping.around(inner), Tape::of(tape.to_vec()));
            if choice == 3 {
                play(Observed::new(), &script, &tape, Faults::NONE).assert_exact(&script, application)
            } else {
                let [skip_sends, skip_reads, hide_reads] = [0, 1, 2].map(|bit| first >> bit & 1 != 0);
                let faults = Faults { skip_sends, skip_reads, hide_reads, hide_sends: false };
                play(Observed::new(), &script, &tape, faults).assert_honest(&script)
            }
        }
    };
    if let Err(error) = judgement {
        panic!("{error}");
    }
    Some(())
}

fuzz_target!(|bytes: &[u8]| {
    let _ = judge(bytes);
});
