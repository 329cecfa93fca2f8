//! Times of day and durations.

use jiff::{Timestamp, tz::TimeZone};

/// The local time of day, with milliseconds.
pub(in crate::views) fn time_of_day(unix_ns: i64) -> String {
    let time = Timestamp::from_nanosecond(unix_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(zone()).strftime("%H:%M:%S%.3f").to_string()
}

/// The zone of this machine. Tests use UTC, so screens do not depend on the machine.
fn zone() -> TimeZone {
    if cfg!(test) { TimeZone::UTC } else { TimeZone::system() }
}

/// A duration as on a clock: `0:07`, `12:34`, `1:02:03`.
pub(in crate::views) fn clock(us: u64) -> String {
    let seconds = us / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A duration in milliseconds or seconds: `0.1 ms`, `12 ms`, `1.0 s`, `205.0 s`.
pub(in crate::views) fn brief_time(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

/// Like [`brief_time`], but as on a clock from a minute on: `3:25`.
pub(in crate::views) fn short_time(us: u64) -> String {
    if us < 60_000_000 { brief_time(us) } else { clock(us) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_shows_hours_only_from_an_hour_on() {
        let clocks = [0, 59_999_999, 754_000_000, 3_723_000_000].map(clock);
        assert_eq!(clocks, ["0:00", "0:59", "12:34", "1:02:03"]);
    }

    #[test]
    fn unit_follows_the_duration() {
        let times = [0, 149, 9_949, 10_000, 999_999, 1_000_000, 90_000_000].map(brief_time);
        assert_eq!(times, ["0.0 ms", "0.1 ms", "9.9 ms", "10 ms", "999 ms", "1.0 s", "90.0 s"]);
        assert_eq!([59_900_000, 205_000_000].map(short_time), ["59.9 s", "3:25"]);
    }
}
