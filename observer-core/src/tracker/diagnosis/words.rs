//! Numbers in the sentences of evidence and advice.

use crate::tracker::evidence::Spread;

/// After how many exchanges connections ended; turns, where that is all that can be counted.
pub(super) fn after(exchanges: &Spread, is_exact: bool) -> String {
    let n = exchanges.median().unwrap_or(0);
    let most = match exchanges.is_constant() {
        true => "after",
        false if exchanges.is_mostly_one() => "mostly after",
        false => "after a median of",
    };
    match (n, is_exact) {
        (0, _) => "after no answer but to the login".into(),
        (1, _) => format!("{most} one exchange"),
        (_, true) => format!("{most} {n} exchanges"),
        (_, false) => format!("{most} ≈{n} turns"),
    }
}

pub(super) fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("{n} {one}") } else { format!("{n} {many}") }
}

/// With its thousands apart.
pub(super) fn plural_of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As short as it is still told: `0.1 ms`, `12 ms`, `1.0 s`.
pub(crate) fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}
