//! Everything that reads `--btf FILE`, for the fuzzer: no parser may fail on a file that passes the check.

use std::collections::HashSet;

use aya::{Btf, Endianness};

use super::{Kind, Types, check::check};

/// Types whose fields are looked up. A lookup may walk over all types.
const LOOKUPS: u32 = 32;

pub fn parse_btf(bytes: &[u8]) {
    if check(bytes).is_err() {
        return;
    }
    let _ = Btf::parse(bytes, Endianness::default());
    let types = Types::read(bytes).expect("the check has read the records");
    for id in 0..LOOKUPS {
        for path in ["a", "inner.a", "outer"] {
            let _ = types.offset_of(id, path);
        }
        let _ = types.enumerator(id, "a");
    }
    let _ = types.ids(&HashSet::from([(Kind::Struct, "outer"), (Kind::Enum, "a")]));
    // The program attaches to these kinds only.
    let wanted = HashSet::from([(Kind::Function, "a"), (Kind::Tracepoint, "a")]);
    let reduced = types.reduced_to(&types.ids(&wanted).into_values().collect());
    Types::read(&reduced).expect("what was reduced can be read again");
    let _ = Btf::parse(&reduced, Endianness::default());
}
