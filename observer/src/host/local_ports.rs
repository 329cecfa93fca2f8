//! The local ports that `connect()` chooses from, in the network namespace of this process: ip_local_port_range without
//! ip_local_reserved_ports (Documentation/networking/ip-sysctl.rst). A program can still bind to any other port, or give a
//! socket a range of its own (IP_LOCAL_PORT_RANGE, since 6.3).

use std::{fs, ops::RangeInclusive};

/// How many ports there are, for each source address and destination. All 65,535 if the range cannot be read.
pub(crate) fn available() -> u64 {
    let read = |name| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap_or_default();
    count(&read("ip_local_port_range"), &read("ip_local_reserved_ports"))
}

/// `range` is as in `32768 60999`. `reserved` is a list of ports and ranges without overlaps, as in `8080,9148-9150`.
pub(super) fn count(range: &str, reserved: &str) -> u64 {
    let mut ends = range.split_whitespace();
    let range = ends.next().zip(ends.next()).and_then(parse).unwrap_or(1..=u16::MAX);
    let is_reserved = |text: &str| parse(text.split_once('-').unwrap_or((text, text)));
    let reserved = reserved.trim().split(',').filter_map(is_reserved);
    len(&range) - reserved.map(|ports| len(&overlap(&range, &ports))).sum::<u64>().min(len(&range))
}

fn parse((first, last): (&str, &str)) -> Option<RangeInclusive<u16>> {
    Some(first.parse().ok()?..=last.parse().ok()?)
}

fn overlap(one: &RangeInclusive<u16>, other: &RangeInclusive<u16>) -> RangeInclusive<u16> {
    *one.start().max(other.start())..=*one.end().min(other.end())
}

fn len(ports: &RangeInclusive<u16>) -> u64 {
    ports.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_includes_both_ends() {
        assert_eq!(count("32768\t60999\n", "\n"), 28_232);
        assert_eq!(count("40000 40000", ""), 1);
        for unreadable in ["", "nonsense", "1", "1 70000"] {
            assert_eq!(count(unreadable, ""), 65_535);
        }
    }

    #[test]
    fn reserved_ports_within_the_range_are_left_out() {
        assert_eq!(count("40000 40009", "80,40002-40005,40009-40010,50000\n"), 5);
        assert_eq!(count("40000 40009", "1-65535\n"), 0);
        assert_eq!(count("40000 40009", "nonsense,40001"), 9);
    }
}
