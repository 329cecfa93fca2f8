//! Whose a connection is: the process's that connected, by the name that it had then, whoever uses it later.

use std::{io::Read as _, io::Write as _, net::TcpStream};

use serde_json::Value;

use crate::support::{
    conversation::some, machine::Machine, peer::REQUEST, programs::output_of, python::python, report::assert_fields,
};

/// An echo that counts.
fn echo(mut stream: TcpStream) -> u64 {
    let (mut asked, mut message) = (0, [0; REQUEST.len()]);
    while stream.read_exact(&mut message).is_ok() {
        asked += 1;
        stream.write_all(&message).expect("the client takes the answer");
    }
    asked
}

/// A connection that changes hands, with two exchanges.
fn assert_stays_with_who_connected(how: &str) {
    let mut said = String::new();
    let conversation = some(&Machine::shared(), 1, echo, |peer| {
        said = output_of(python("owners.py").args([how, &peer.port().to_string()]));
    });
    conversation.assert_exact(2, "plain");
    let who: Value = serde_json::from_str(&said).expect("it says in JSON who connects");
    let report = &conversation.report;
    report.rows.iter().for_each(|row| assert_fields(row, &who));
    let [group] = report.groups() else { panic!("one group was expected: {:#}", report.summary) };
    assert_fields(group, &who);
    assert_fields(group, &serde_json::json!({ "processes": 1, "opened": 1, "exchanges": 2 }));
}

#[test]
fn a_child_uses_its_parents() {
    assert_stays_with_who_connected("forked");
}

#[test]
fn a_child_uses_it_when_its_parent_is_gone() {
    assert_stays_with_who_connected("orphaned");
}

/// The name is the process's, not the thread's.
#[test]
fn a_thread_uses_another_threads() {
    assert_stays_with_who_connected("threaded");
}

#[test]
fn a_stranger_is_handed_it() {
    assert_stays_with_who_connected("passed");
}

#[test]
fn another_program_takes_the_process_over() {
    assert_stays_with_who_connected("replaced");
}
