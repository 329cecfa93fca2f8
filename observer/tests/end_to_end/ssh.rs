//! SSH: about ten turns exchange keys, log in and run a command. None is a request, and all are marked.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use crate::support::{
    machine::Machine,
    programs::{output_of, program},
    report::Report,
    service::{self, Service},
    sockets::ReservedPort,
};

fn keys(folder: &Path) {
    for name in ["host", "user"] {
        let mut keygen = program("ssh-keygen", "openssh-client");
        output_of(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", name]).current_dir(folder));
    }
}

fn sshd() -> (Service, u16) {
    let (folder, port) = (service::folder(), ReservedPort::new());
    let number = port.address.port();
    keys(folder.path());
    let path = folder.path().display();
    let configuration = format!(
        "ListenAddress 127.0.0.1\nPort {number}\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\nPidFile none\n\
         StrictModes no\nUsePAM no\nUseDNS no\nPermitRootLogin prohibit-password\nLogLevel VERBOSE\n"
    );
    fs::write(folder.path().join("sshd.conf"), configuration).expect("cannot write the file");
    // sshd confines its child processes to this directory, but does not create it.
    fs::create_dir_all("/run/sshd").expect("cannot create a directory");
    // sshd re-executes itself, and so requires its full path.
    drop(program("sshd", "openssh-server"));
    let mut sshd = Command::new("/usr/sbin/sshd");
    (Service::start(sshd.args(["-D", "-e", "-f", "sshd.conf"]), folder, [port]), number)
}

/// Runs this many commands, each with a connection of its own.
pub(crate) fn commands(times: u64) -> Report {
    let machine = Machine::shared();
    let (sshd, port) = sshd();
    let watch = machine.watch(format!("-p {port}"));
    for n in 0..times {
        let mut ssh = program("ssh", "openssh-client");
        ssh.args(["-F", "none", "-p", &port.to_string(), "-i"]).arg(sshd.folder().join("user"));
        for option in ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"] {
            ssh.args(["-o", option]);
        }
        let output = output_of(ssh.args(["root@127.0.0.1", "echo", &n.to_string()]));
        assert_eq!(output.trim_end(), n.to_string());
    }
    sshd.wait_for_closes(port);
    let log = sshd.stop_and_read("log");
    let count = |text: &str| log.lines().filter(|line| line.starts_with(text)).count() as u64;
    let counted = (count("Connection from 127.0.0.1"), count("Starting session: command"));
    assert_eq!(counted, (times, times), "counts in the log of sshd: {log}");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": times, "closed": times, "failed": 0, "new": times, "unused": 0 }));
    report
}

#[test]
fn ssh_turns_are_marked() {
    commands(3).assert_marked("plain", Some("ssh"));
}
