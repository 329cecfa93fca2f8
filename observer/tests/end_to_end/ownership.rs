//! A connection belongs to the process that connected, under its name at that time, no matter which process uses it
//! later.

use std::{io::Read as _, io::Write as _, net::TcpStream};

use serde_json::Value;

use crate::support::{
    conversation::converse, machine::Machine, peer::REQUEST, programs::output_of, python::python, report::assert_fields,
};

/// An echo peer that counts requests.
fn echo(mut stream: TcpStream) -> u64 {
    let (mut asked, mut message) = (0, [0; REQUEST.len()]);
    while stream.read_exact(&mut message).is_ok() {
        asked += 1;
        stream.write_all(&message).expect("cannot send the answer");
    }
    asked
}

/// Runs a connection with two exchanges that changes hands, and asserts that it stays with the process that connected.
fn assert_stays_with_the_connecting_process(how: &str) {
    let mut output = String::new();
    let conversation = converse(&Machine::shared(), 1, echo, |peer| {
        output = output_of(python("owners.py").args([how, &peer.port().to_string()]));
    });
    conversation.assert_exact(2, "plain");
    let owner: Value = serde_json::from_str(&output).expect("the program prints its process as JSON");
    let report = &conversation.report;
    report.rows.iter().for_each(|row| assert_fields(row, &owner));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &owner);
    assert_fields(group, &serde_json::json!({ "processes": 1, "opened": 1, "exchanges": 2 }));
}

#[test]
fn connection_used_by_a_child_belongs_to_the_parent() {
    assert_stays_with_the_connecting_process("forked");
}

#[test]
fn connection_of_an_exited_parent_still_belongs_to_it() {
    assert_stays_with_the_connecting_process("orphaned");
}

/// The name is that of the process, not of the thread.
#[test]
fn connection_used_by_another_thread_belongs_to_the_process() {
    assert_stays_with_the_connecting_process("threaded");
}

#[test]
fn connection_passed_over_a_unix_socket_belongs_to_the_sender() {
    assert_stays_with_the_connecting_process("passed");
}

#[test]
fn connection_kept_across_exec_belongs_to_the_first_program() {
    assert_stays_with_the_connecting_process("replaced");
}
