//! What the failed tests of `cargo test` printed, to print it once more at the end of a long log: of CI's log only the
//! end may be kept.

use std::fmt;

/// Lines kept of each failed test: the first name the place and the reason, the last hold the compared values.
const FIRST_LINES: usize = 12;
const LAST_LINES: usize = 60;

#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// The output of each failed test, which begins with a line such as `---- module::test stdout ----`.
    reports: Vec<Vec<String>>,
    place: Place,
}

/// Where in the output of `cargo test` the next line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    Report,
    /// In a backtrace, which is left out.
    Backtrace,
}

impl Failures {
    /// Takes one line of the output, without its end.
    pub(crate) fn add(&mut self, line: &str) {
        if line.starts_with("---- ") && line.ends_with(" ----") {
            self.reports.push(Vec::new());
            self.place = Place::Report;
        } else if line == "failures:" || line.starts_with("test result: ") {
            self.place = Place::Outside;
        } else if line == "stack backtrace:" && self.place == Place::Report {
            self.place = Place::Backtrace;
        } else if self.place == Place::Backtrace && !line.starts_with(' ') {
            self.place = Place::Report;
        }
        if let (Place::Report, Some(report)) = (self.place, self.reports.last_mut())
            && !line.is_empty()
        {
            report.push(line.to_owned());
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in &self.reports {
            let left_out = report.len().saturating_sub(FIRST_LINES + LAST_LINES);
            for (at, line) in report.iter().enumerate() {
                if left_out > 0 && at == FIRST_LINES {
                    writeln!(f, "[{left_out} lines]")?;
                }
                if at < FIRST_LINES || at >= FIRST_LINES + left_out {
                    writeln!(f, "{line}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(log: &str) -> String {
        let mut failures = Failures::default();
        log.lines().for_each(|line| failures.add(line));
        failures.to_string()
    }

    #[test]
    fn reports_of_failed_tests_are_kept_without_backtraces() {
        let log = "\
running 3 tests
test a ... FAILED

failures:

---- a stdout ----

thread 'a' panicked at a.rs:1:2:
assertion failed
stack backtrace:
   0: rust_begin_unwind
             at panicking.rs
note: Some details are omitted.

---- b stdout ----
reason

failures:
    a
    b

test result: FAILED. 1 passed; 2 failed;
and more";
        let kept = "\
---- a stdout ----
thread 'a' panicked at a.rs:1:2:
assertion failed
note: Some details are omitted.
---- b stdout ----
reason
";
        assert_eq!(printed(log), kept);
    }

    #[test]
    fn middle_of_a_long_report_is_left_out() {
        let lines: Vec<String> = (1..100).map(|number| number.to_string()).collect();
        let kept = printed(&format!("---- a stdout ----\n{}", lines.join("\n")));
        assert_eq!(kept.lines().count(), FIRST_LINES + 1 + LAST_LINES);
        assert!(kept.contains("\n11\n[28 lines]\n40\n") && kept.ends_with("\n99\n"), "{kept}");
    }

    #[test]
    fn successful_tests_leave_nothing() {
        assert_eq!(printed("running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed;\n"), "");
    }
}
