//! Sockets whose payload passes no hook: a sockmap moves messages from one socket to the other, bypassing TCP.

use serde_json::{Value, json};

use crate::support::{dialogue::Dialogue, machine::Machine, python::python, report::assert_fields};

#[test]
fn messages_through_a_sockmap_are_marked() {
    const ASKS: u64 = 5;
    let machine = Machine::shared();
    let mut both = Dialogue::start(python("sockmap.py").arg(ASKS.to_string()));
    let parse = |line: String| serde_json::from_str::<Value>(&line).expect("the program writes JSON");
    let port = parse(both.next_line())["port"].as_u64().expect("a number");
    let watch = machine.watch(format!("-p {port}"));
    both.send_line("go on");
    assert_eq!(parse(both.next_line()), json!({ "answers": ASKS }), "counts of the client");
    // The watch notices it when it lists sockets, once a second.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    both.send_line("end");
    both.end();
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 0, "marked": 1 }));
    assert_fields(report.only("close"), &json!({ "exact": false, "sent_bytes": 0 }));
    assert_eq!(report.summary["exact"], false, "{:#}", report.summary);
}
