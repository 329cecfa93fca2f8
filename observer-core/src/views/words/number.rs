//! Numbers, and how much room they take.

use crate::group::Counts;

pub(in crate::views) fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("{n} {one}") } else { format!("{n} {many}") }
}

/// A number with a comma between thousands.
pub(in crate::views) fn thousands(n: u64) -> String {
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

/// The sign before a number that could not be counted exactly.
pub(in crate::views) fn approximately(is_exact: bool) -> &'static str {
    if is_exact { "" } else { "≈" }
}

pub(in crate::views) fn exchanges(n: u64, is_exact: bool) -> String {
    format!("{}{}", approximately(is_exact), plural(n, "exchange", "exchanges"))
}

/// The share of exchanges on reused connections.
pub(in crate::views) fn ratio(counts: &Counts) -> String {
    counts.reuse_ratio().map_or_else(|| "–".into(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// The length of a bar for a share (0 to 1) of `whole`. Rounded up, so no share above 0 is invisible.
#[expect(clippy::cast_sign_loss, reason = "a share is no less than 0")]
pub(in crate::views) fn bar_length(share: f64, whole: usize) -> usize {
    (share * whole as f64).ceil() as usize
}

/// A number in at most `room` characters: exact if it fits, else rounded (`1.23k`, `12M`), never cut.
pub(in crate::views) fn fit_number(number: f64, decimals: usize, room: usize) -> String {
    let exact = format!("{number:.decimals$}");
    if exact.len() <= room {
        return exact;
    }
    let scaled = [(1e0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P"), (1e18, "E")];
    let forms = scaled.into_iter().flat_map(|(unit, sign)| {
        [2, 1, 0].map(|decimals| (number / unit, format!("{:.decimals$}{sign}", number / unit)))
    });
    forms
        .filter(|(scaled, text)| *scaled < 999.5 && text.len() <= room)
        .map(|(_, text)| text)
        .next()
        .unwrap_or_else(|| "*".repeat(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([999, 1000, 1_234_567].map(thousands), ["999", "1,000", "1,234,567"]);
    }

    #[test]
    fn plural_follows_the_number() {
        let connects = [0, 1, 2].map(|n| plural(n, "connect", "connects"));
        assert_eq!(connects, ["0 connects", "1 connect", "2 connects"]);
    }

    #[test]
    fn numbers_are_rounded_to_fit_and_never_cut() {
        let six = |number: u64| fit_number(number as f64, 0, 6);
        assert_eq!([0, 999_999, 1_234_567, 999_999_999].map(six), ["0", "999999", "1.23M", "1.00G"]);
        assert_eq!([fit_number(12_345.6, 1, 7), fit_number(123_456.7, 1, 7)], ["12345.6", "123.46k"]);
        assert_eq!([fit_number(5.0, 0, 0), fit_number(12_345.0, 0, 3)], ["", "12k"]);
    }
}
