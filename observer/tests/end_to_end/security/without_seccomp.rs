//! A watch in a container that forbids seccomp(2).

use std::{collections::BTreeMap, io::Read as _, os::unix::process::CommandExt as _, process::Command};

use rustix::process::Signal;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use serde_json::json;

use crate::support::{
    helper::{NO_CAPABILITY, children_of, privileges_of},
    machine::Machine,
    peer::{Peer, ask},
    report::{Report, assert_fields},
    tool::{self, RunOutput, RunningWatch},
};

/// The tool's command, to which seccomp(2) is forbidden.
fn command(arguments: &str) -> Command {
    let architecture = std::env::consts::ARCH.try_into().expect("seccompiler knows this architecture");
    let refused = BTreeMap::from([(libc::SYS_seccomp, Vec::new())]);
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(refused, SeccompAction::Allow, refuse, architecture).expect("a valid filter");
    let program = BpfProgram::try_from(filter).expect("a valid filter");
    let mut command = tool::command(arguments);
    // SAFETY: between fork and exec there are two system calls, which take no lock and allocate nothing.
    unsafe { command.pre_exec(move || apply_filter(&program).map_err(std::io::Error::other)) };
    command
}

#[test]
fn watch_without_seccomp_says_so_and_has_no_helper() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut watch = RunningWatch::start_command(&mut command(&format!("-o json -p {}", peer.port())));
    assert_eq!(privileges_of(watch.tool.id())[..2], [NO_CAPABILITY; 2], "the rest is given up");
    assert_eq!(children_of(watch.tool.id()), Vec::<u32>::new(), "there is no helper");
    ask(&mut peer.connect());
    peer.wait_for(1);
    watch.tool.signal(Signal::INT);
    let mut text = watch.first;
    watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    let report = Report::read(text.lines().map(str::to_owned));
    report.assert_totals(&json!({ "opened": 1, "exchanges": 1 }));
    let notice = report.only("notice");
    assert_fields(notice, &json!({ "kind": "confinement" }));
    let message = notice["message"].as_str().expect("a text");
    for words in ["system calls are not restricted by seccomp", "Operation not permitted"] {
        assert!(message.contains(words), "{message}");
    }
    drop(machine);
}

#[test]
fn watch_without_seccomp_and_an_output_says_so_on_stderr() {
    let _machine = Machine::shared();
    let ended = RunOutput::run(&mut command("-o none -p 9 --duration 100ms"));
    ended.assert_code(0);
    assert!(ended.stderr.contains("notice: system calls are not restricted by seccomp"), "{}", ended.stderr);
}
