//! Parsers of option values. Their errors say what is accepted; clap adds the option and the value.

use std::{fs, net::IpAddr, time::Duration};

use ipnet::IpNet;

/// The speed of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Speed {
    Times(f64),
    /// Without pauses.
    Max,
}

pub(super) fn network(text: &str) -> Result<IpNet, String> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "use an address or a network in CIDR notation, such as 10.1.2.3, 10.0.0.0/8 or fd00::/8".into())
}

pub(super) fn running_process(text: &str) -> Result<u32, String> {
    let pid: u32 = text.parse().ok().filter(|pid| *pid > 0).ok_or("a process id is a number above zero")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| "there is no such process")?;
    // Threads have entries in /proc too, but connections belong to processes.
    match status.lines().find_map(|line| line.strip_prefix("Tgid:")).map(str::trim) {
        Some(tgid) if tgid != text => Err(format!("this is a thread of process {tgid}: use that id")),
        _ => Ok(pid),
    }
}

pub(super) fn process_name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a process name must not be empty".into()) } else { Ok(text.into()) }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok()),
    };
    parsed
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "use a time above zero, such as 90s, 5m, 1h 30m, or a number of seconds".into())
}

pub(super) fn speed(text: &str) -> Result<Speed, String> {
    match text.parse::<f64>() {
        Ok(times) if times > 0.0 && times.is_finite() => Ok(Speed::Times(times)),
        Err(_) if text == "max" => Ok(Speed::Max),
        _ => Err("use a number above zero, such as 10 or 0.5, or max".into()),
    }
}

/// Parses a share. A percentage is read by its decimals, so 99.9% is the number 0.999 and not one beside it.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => format!("{}e-2", percent.trim_end()).parse(),
        None => text.parse::<f64>(),
    };
    let share = number.ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "use a number from 0 to 1, such as 0.9, or a percentage, such as 90%".into())
}

pub(super) fn ring_size(text: &str) -> Result<u32, String> {
    text.parse::<u32>()
        .ok()
        .filter(|size| size.is_power_of_two() && (4096..=1 << 30).contains(size))
        .ok_or_else(|| "use a power of two from 4096 to 1073741824".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_must_be_above_zero() {
        assert_eq!((speed("max"), speed("0.5")), (Ok(Speed::Max), Ok(Speed::Times(0.5))));
        for wrong in ["0", "-1", "inf", "nan", "fast", ""] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_numbers_or_percentages() {
        for (text, expected) in [
            ("0.9", 0.9_f64),
            ("90%", 0.9),
            ("99.9%", 0.999),
            ("29 %", 0.29),
            ("0", 0.0),
            ("1", 1.0),
            ("100%", 1.0),
            ("1e-3", 0.001),
        ] {
            assert_eq!(share(text).map(f64::to_bits), Ok(expected.to_bits()), "{text}");
        }
        for wrong in ["", "%", "90", "101%", "-1", "-0.1%", "nan", "inf", "0.9x", "90%%", "1e1"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_seconds_or_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("0").is_err());
        assert!(duration("-5s").is_err());
    }

    #[test]
    fn single_address_is_a_network() {
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("fd00::/8").unwrap().to_string(), "fd00::/8");
    }
}
