//! Times as RFC 3339, in UTC with nine digits of a second.

use std::cell::RefCell;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

const NS_PER_SECOND: i64 = 1_000_000_000;

/// Nanoseconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Time(pub(super) i64);

thread_local! {
    /// The last second and its text: thousands of rows share one, and formatting the date took a fifth of a row's time.
    static LAST_SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

impl Time {
    /// Calls `write` with the date and time up to the dot, and the nanoseconds.
    pub(super) fn with_parts<T>(self, write: impl FnOnce(&str, i64) -> T) -> T {
        let (second, ns) = (self.0.div_euclid(NS_PER_SECOND), self.0.rem_euclid(NS_PER_SECOND));
        LAST_SECOND.with_borrow_mut(|last| {
            if last.0 != second {
                let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
                *last = (second, time.strftime("%Y-%m-%dT%H:%M:%S.").to_string());
            }
            write(&last.1, ns)
        })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_parts(|second, ns| serializer.collect_str(&format_args!("{second}{ns:09}Z")))
    }
}
