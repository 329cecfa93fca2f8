//! The kernel's own counters of a network namespace, independent of the tool and of the servers.

use std::{fs::File, io};

/// Reads a counter from a file of /proc/net (`snmp`, `netstat`), which holds a line of names and a line of values per
/// kind.
pub(crate) fn counter(file: File, kind: &str, name: &str) -> u64 {
    let text = io::read_to_string(file).expect("cannot read the counters");
    let [names, values] = text.lines().filter(|line| line.starts_with(kind)).collect::<Vec<_>>()[..] else {
        panic!("expected two lines of {kind}: {text}")
    };
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(counted, _)| *counted == name).expect("the counter exists").1.parse().expect("a number")
}
