//! What each process of a watch still holds once it has started, as /proc shows it.

use std::{fs, time::Duration};

use rustix::process::Signal;

use super::Processes;
use crate::support::{
    helper::{Helper, NO_CAPABILITY, ONLY_PTRACE, privileges_of, status_of},
    machine::Machine,
    programs::program,
    tool::{PROGRAM, RunningWatch},
};

fn ids(pid: u32, name: &str) -> Vec<String> {
    status_of(pid, name).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn watch_is_nobody_without_capabilities() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    let watch = processes.watch();
    let none = NO_CAPABILITY;
    assert_eq!(privileges_of(watch), [none, none, none, none, "1"]);
    for name in ["Uid", "Gid"] {
        assert_eq!(ids(watch, name), ["65534"; 4], "{name}");
    }
    assert_eq!(status_of(watch, "Groups"), "");
    assert_eq!(status_of(watch, "Seccomp"), "2", "a filter");
    processes.watch.end();
}

#[test]
fn every_thread_of_a_watch_has_given_up_the_same() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    let threads: Vec<_> =
        fs::read_dir(format!("/proc/{}/task", processes.watch())).expect("it runs").flatten().collect();
    assert!(threads.len() > 1, "metrics have a thread");
    for thread in threads {
        // A thread may have ended.
        let Ok(status) = fs::read_to_string(thread.path().join("status")) else { continue };
        for line in ["Uid:\t65534\t65534", &format!("CapPrm:\t{NO_CAPABILITY}"), "Seccomp:\t2"] {
            assert!(status.contains(line), "{line}: {status}");
        }
    }
    processes.watch.end();
}

#[test]
fn helper_keeps_one_capability_and_one_socket() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    let helper = Helper(processes.helper);
    let none = NO_CAPABILITY;
    assert_eq!(privileges_of(helper.0), [ONLY_PTRACE, ONLY_PTRACE, none, none, "1"]);
    // Real, effective, saved and file system ids. The helper reads files as root, and the watch may signal it.
    assert_eq!(ids(helper.0, "Uid"), ["65534", "0", "65534", "0"]);
    assert_eq!(status_of(helper.0, "Seccomp"), "2", "a filter");
    let files = helper.open_files();
    assert_eq!(files[..3], ["/dev/null"; 3], "{files:?}");
    assert!(files.len() == 4 && files[3].starts_with("socket:"), "{files:?}");
    processes.watch.end();
    helper.assert_gone("after the watch");
}

#[test]
fn remover_keeps_no_capability_and_one_socket() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    let remover = Helper(processes.remover);
    let none = NO_CAPABILITY;
    assert_eq!(privileges_of(remover.0), [none, none, none, none, "1"]);
    assert_eq!(status_of(remover.0, "Seccomp"), "2", "a filter");
    let files = remover.open_files();
    assert!(files.len() == 4 && files[3].starts_with("socket:"), "{files:?}");
    processes.watch.end();
    remover.assert_gone("after the watch");
}

/// As in many containers.
#[test]
fn user_id_stays_where_it_cannot_change() {
    let _machine = Machine::shared();
    let mut setpriv = program("setpriv", "util-linux");
    setpriv.args(["--bounding-set", "-setuid,-setgid", "--inh-caps", "-setuid,-setgid", "--", PROGRAM]);
    let mut watch = RunningWatch::start_command(setpriv.args(["-p", "9", "-o", "json"]));
    let pid = watch.tool.id();
    assert_eq!((ids(pid, "Uid"), status_of(pid, "Seccomp")), (vec!["0".to_owned(); 4], "2".into()));
    assert_eq!(privileges_of(pid)[..2], [NO_CAPABILITY; 2]);
    watch.tool.signal(Signal::INT);
    assert_eq!(watch.tool.wait(Duration::from_mins(2)).code(), Some(0));
}
