//! What processes of the same and of other users can do to a watch.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
};

use super::{Processes, as_user};
use crate::support::{machine::Machine, metrics::MeteredWatch, nobody::NOBODY, programs::program};

/// Some user that runs nothing here.
const OTHER: u32 = 54_321;

#[test]
fn only_the_same_user_and_root_can_signal_the_processes() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    for (pid, nobody_may) in [(processes.watch(), true), (processes.helper, true), (processes.remover, false)] {
        for (user, may) in [(OTHER, false), (NOBODY, nobody_may)] {
            let mut kill = as_user(user, &["kill", "-0", &pid.to_string()]);
            assert_eq!(kill.output().expect("cannot run kill").status.success(), may, "user {user}, process {pid}");
        }
    }
    processes.watch.end();
}

#[test]
fn memory_is_hidden_from_the_same_user() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    for pid in [processes.watch(), processes.helper, processes.remover] {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        assert_eq!(
            fs::metadata(folder.join("environ")).expect("it runs").uid(),
            0,
            "the files in /proc belong to root"
        );
        for name in ["environ", "maps", "mem"] {
            let path = folder.join(name).display().to_string();
            let cat = as_user(NOBODY, &["head", "-c", "1", &path]).output().expect("cannot run head");
            assert!(String::from_utf8_lossy(&cat.stderr).contains("Permission denied"), "{path}: {cat:?}");
        }
    }
    processes.watch.end();
}

#[test]
fn port_is_for_every_local_user_and_socket_for_its_group() {
    let machine = Machine::shared();
    let status = |user: u32, group: u32, place: &[&str]| {
        let mut curl = program("setpriv", "util-linux");
        curl.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into(), "curl".into()]);
        let curl =
            curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}"]).args(place).output().expect("cannot run curl");
        String::from_utf8(curl.stdout).expect("the status is a number")
    };
    let metered = MeteredWatch::start(&machine, "-p 9");
    assert_eq!(status(OTHER, OTHER, &[&format!("http://{}/metrics", metered.address)]), "200");
    metered.end();

    let processes = Processes::start(&machine);
    fs::set_permissions(processes.folder.path(), Permissions::from_mode(0o755)).expect("cannot set the permissions");
    let socket = processes.folder.path().join("metrics.sock").display().to_string();
    let place = ["--unix-socket", &socket, "http://localhost/metrics"];
    // The socket belongs to root and its group, which started the watch.
    assert_eq!([status(OTHER, 0, &place), status(OTHER, OTHER, &place)], ["200", "000"]);
    processes.watch.end();
}
