//! What the kernel itself counts of a network namespace: a truth that is neither the tool's nor a server's.

use std::{fs::File, io};

/// A counter in a file of /proc/net (`snmp`, `netstat`), where each kind of them has a line of names and one of values.
pub(crate) fn counter(file: File, kind: &str, name: &str) -> u64 {
    let text = io::read_to_string(file).expect("it can be read");
    let [names, values] = text.lines().filter(|line| line.starts_with(kind)).collect::<Vec<_>>()[..] else {
        panic!("two lines of {kind} were expected: {text}")
    };
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(counted, _)| *counted == name).expect("it is counted").1.parse().expect("a number")
}
