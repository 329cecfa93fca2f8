//! Counts tests from the output of `cargo test`, for a total on the last line of a long log.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::ops::AddAssign;

use super::failures::Failures;

/// Test results of all test programs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Copies `from` to `to` line by line, adds up the `test result:` lines, and keeps what failed tests printed.
    pub(crate) fn follow(mut from: impl BufRead, mut to: impl Write, failures: &mut Failures) -> io::Result<Self> {
        let mut tally = Self::default();
        let mut line = Vec::new();
        // Not `lines()`: a test may print invalid UTF-8.
        while from.read_until(b'\n', &mut line)? > 0 {
            to.write_all(&line)?;
            to.flush()?;
            let text = String::from_utf8_lossy(&line);
            tally.add(&text);
            failures.add(text.trim_end_matches('\n'));
            line.clear();
        }
        Ok(tally)
    }

    /// Adds a line such as `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; …`. Ignores other lines.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for count in counts.1.split(';') {
            let mut words = count.split_whitespace();
            let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
                continue;
            };
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] = b"\
running 3 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s
\xff not text, and no result: test result: ok. 9 passed; 9 failed; 9 ignored
test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s
test result: ok
no newline at the end";

    #[test]
    fn results_of_all_test_programs_add_up() {
        let mut copy = Vec::new();
        let tally = Tally::follow(LOG, &mut copy, &mut Failures::default()).unwrap();
        assert_eq!(tally, Tally { passed: 6, failed: 1, skipped: 1 });
        assert_eq!(copy, LOG);
    }

    #[test]
    fn empty_output_counts_nothing() {
        let tally = Tally::follow(&b""[..], Vec::new(), &mut Failures::default()).unwrap();
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn total_is_one_plain_line() {
        assert_eq!(Tally { passed: 12, failed: 0, skipped: 3 }.to_string(), "12 passed, 0 failed, 3 skipped");
    }
}
