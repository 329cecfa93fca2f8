//! As whom a command runs: under sudo as the caller, with the caller's groups and home, and without anything of ours.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io::Read as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::tempdir;

use super::with_command;
use crate::support::{
    eventually,
    helper::{Helper, NO_CAPABILITY, children_of, privileges_of, status_of},
    machine::Machine,
    nobody::{NOBODY, chown_to_nobody},
    programs::{output_of, program},
    tool::{Process, RunOutput},
};

/// CAP_KILL of include/uapi/linux/capability.h, in the format of /proc/PID/status.
const ONLY_KILL: &str = "0000000000000020";

/// As sudo starts the tool for the user nobody.
fn under_sudo(command: &mut Command) -> &mut Command {
    command.env("SUDO_UID", NOBODY.to_string()).env("SUDO_GID", NOBODY.to_string()).env("SUDO_USER", "nobody")
}

/// The fields of /proc/PID/status.
fn status(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect()
}

#[test]
fn under_sudo_it_runs_as_the_caller() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    chown_to_nobody(folder.path());
    let file = folder.path().join("made");
    let script = format!("echo $HOME $USER $LOGNAME $SUDO_UID; : >{}; cat /proc/self/status", file.display());
    let output = RunOutput::run(under_sudo(&mut with_command("-o none", &["sh", "-c", &script])));
    output.assert_code(0);
    let home = output_of(program("getent", "libc-bin").args(["passwd", "nobody"]));
    let home = home.trim().split(':').nth(5).expect("passwd has seven fields").to_owned();
    let (first, rest) = output.stdout.split_once('\n').expect("there are lines");
    assert_eq!(first.trim(), format!("{home} nobody nobody"));
    let status = status(rest);
    let id = NOBODY.to_string();
    let ids = [id.as_str(); 4].join("\t");
    assert_eq!((status["Uid"], status["Gid"], status["Groups"]), (ids.as_str(), ids.as_str(), id.as_str()));
    for capabilities in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status[capabilities], "0000000000000000", "{capabilities}");
    }
    assert_eq!((status["NoNewPrivs"], status["Seccomp"]), ("0", "0"));
    // Signals with a name, because others may have been ignored before.
    let ignored = u64::from_str_radix(status["SigIgn"], 16).expect("a mask is a number") & 0x7fff_ffff;
    assert_eq!(ignored, 0, "{ignored:x}");
    assert_eq!(fs::metadata(&file).expect("the file is there").uid(), NOBODY);
}

#[test]
fn another_account_can_be_chosen() {
    let _machine = Machine::shared();
    let expected = output_of(program("id", "coreutils").arg("www-data"));
    for name in ["www-data", "33"] {
        let output = RunOutput::run(&mut with_command(&format!("-o none --run-as {name}"), &["id"]));
        assert_eq!(output.stdout, expected, "{output:?}");
    }
    let output = RunOutput::run(&mut with_command("--run-as no-such-user", &["id"]));
    output.assert_code(2);
    assert!(output.stderr.contains("no-such-user"), "{}", output.stderr);
}

#[test]
fn without_sudo_it_keeps_credentials_and_capabilities() {
    let _machine = Machine::shared();
    let script = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status";
    let expected = output_of(program("sh", "dash").args(["-c", script]));
    let output = RunOutput::run(&mut with_command("-o none", &["sh", "-c", script]));
    assert_eq!(output.stdout, expected);
}

/// Only those that the tool itself was started with.
#[test]
fn it_has_no_descriptor_of_the_tool() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let (record, summary) = (folder.path().join("record"), folder.path().join("summary"));
    let arguments = format!("--metrics 127.0.0.1:0 --record {} --summary {}", record.display(), summary.display());
    let list = "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> .*/\\1/p' | sort -n";
    let expected = output_of(program("sh", "dash").args(["-c", list]));
    let output = RunOutput::run(&mut with_command(&format!("-o none {arguments}"), &["sh", "-c", list]));
    output.assert_code(0);
    assert_eq!(output.stdout, expected, "{output:?}");
}

/// `no_new_privs` would forbid it, and with it sudo and ping.
#[test]
fn programs_with_set_user_id_work_in_it() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("cannot set the permissions");
    let copy = folder.path().join("id");
    fs::copy("/usr/bin/id", &copy).expect("cannot copy the program");
    fs::set_permissions(&copy, Permissions::from_mode(0o4755)).expect("cannot set the permissions");
    let argv = [copy.to_str().expect("UTF-8"), "-u"];
    let output = RunOutput::run(under_sudo(&mut with_command("-o none", &argv)));
    assert_eq!(output.stdout, "0\n", "{output:?}");
}

#[test]
fn runner_can_only_signal_the_command() {
    let _machine = Machine::shared();
    let mut tool = Process::start(
        with_command("-o none", &["sh", "-c", "echo ready; read line"]).stdin(Stdio::piped()).stdout(Stdio::piped()),
    );
    let mut line = [0; 6];
    tool.child.stdout.as_mut().expect("the stream is piped").read_exact(&mut line).expect("the command runs");
    let name = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let runner =
        children_of(tool.id()).into_iter().find(|pid| name(pid) == "reuse-runner\n").expect("there is a runner");
    // It confines itself as soon as the command runs.
    eventually("the runner is confined", || status_of(runner, "Seccomp") == "2");
    assert_eq!(privileges_of(runner), [ONLY_KILL, ONLY_KILL, NO_CAPABILITY, NO_CAPABILITY, "1"]);
    let files: Vec<_> = Helper(runner).open_files().into_iter().filter(|file| file != "/dev/null").collect();
    assert!(
        matches!(&files[..], [socket, pidfd] if socket.starts_with("socket:") && pidfd.contains("pidfd")),
        "{files:?}"
    );
    drop(tool.child.stdin.take());
    tool.wait(Duration::from_mins(2));
}
