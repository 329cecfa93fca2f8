//! Executables on file systems that do not answer. Whoever runs them, the runtimes of other processes are still detected.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{
    eventually,
    fuse::{FileSystem, Opens},
    helper::{Helper, ONLY_PTRACE, as_nobody, children_of, privileges_of, runtimes_in, status_of},
    machine::Machine,
    peer::Peer,
    tool::Process,
    watch::Watch,
};

/// A watch of a silent peer, and its log.
struct Scene<'a> {
    peer: Peer,
    watch: Watch<'a>,
    folder: TempDir,
}

impl<'a> Scene<'a> {
    fn new(machine: &'a Machine) -> Self {
        let (peer, folder) = (Peer::new(hold), tempdir().expect("cannot create a directory"));
        let log = folder.path().join("log");
        let watch = machine.watch(format!("-p {} --log-file {}", peer.port(), log.display()));
        Self { peer, watch, folder }
    }

    /// A process of a copy of bash, which connects when it is told to.
    fn process(&self, bash: &Path, run: impl Fn(&Command) -> Command) -> Process {
        let script = format!("read; exec 3<>/dev/tcp/127.0.0.1/{}; read -u 3", self.peer.port());
        let mut bash = Command::new(bash);
        bash.args(["-c", &script]);
        Process::start(run(&bash).stdin(Stdio::piped()))
    }

    /// Processes of this user that run from the file system, and have not connected yet.
    fn processes(&self, files: &FileSystem, number: usize, run: impl Fn(&Command) -> Command) -> Vec<Process> {
        let processes: Vec<Process> = (0..number).map(|_| self.process(&files.program(), &run)).collect();
        let runs = |process: &Process| {
            fs::read_link(format!("/proc/{}/exe", process.id())).is_ok_and(|path| path == files.program())
        };
        eventually("all run from the file system", || processes.iter().all(runs));
        processes
    }

    fn runtimes_of(&self, process: &Process) -> Vec<String> {
        runtimes_in(&self.folder.path().join("log"), process.id())
    }

    fn wait_for_runtime_of(&self, process: &Process, expected: &str) {
        eventually(&format!("the runtime of {} is {expected}", process.id()), || {
            self.runtimes_of(process).iter().any(|runtime| runtime.ends_with(&format!(": {expected}")))
        });
    }

    fn helper(&self) -> Helper {
        Helper::of(self.watch.tool.id())
    }
}

/// Keeps a connection until its process has ended.
fn hold(mut stream: TcpStream) {
    stream.set_read_timeout(None).expect("no timeout can be set");
    let _ = stream.read(&mut [0]);
}

fn connect(process: &mut Process) {
    process.child.stdin.as_mut().expect("the stream is piped").write_all(b"\n").expect("the process reads");
}

fn as_root(command: &Command) -> Command {
    let mut same = Command::new(command.get_program());
    same.args(command.get_args());
    same
}

#[test]
fn lookups_that_cannot_be_killed_are_given_up_and_do_not_stop_the_others() {
    const HUNG_OF_A_USER: usize = 4;
    const STUCK: usize = HUNG_OF_A_USER + 2;
    let machine = Machine::shared();
    let files = FileSystem::with(Path::new("/bin/bash"));
    let scene = Scene::new(&machine);
    let mut stuck = scene.processes(&files, STUCK, as_nobody);
    files.set_opens(Opens::Held);
    stuck.iter_mut().for_each(connect);
    let helper = scene.helper();
    eventually("a look-up hangs", || !children_of(helper.0).is_empty());
    // Of the same user, and of another one.
    let mut root = scene.process(Path::new("/bin/bash"), as_root);
    connect(&mut root);
    scene.wait_for_runtime_of(&root, "unknown");
    for process in &stuck {
        scene.wait_for_runtime_of(process, "cannot be told");
    }
    assert_eq!(children_of(helper.0).len(), HUNG_OF_A_USER, "look-ups that hang");
    let mut other = scene.process(Path::new("/bin/bash"), as_nobody);
    connect(&mut other);
    scene.wait_for_runtime_of(&other, "cannot be told");

    files.set_opens(Opens::Answered);
    eventually("the look-ups have ended", || children_of(helper.0).is_empty());
    let mut later = scene.process(Path::new("/bin/bash"), as_nobody);
    connect(&mut later);
    scene.wait_for_runtime_of(&later, "unknown");
    drop((stuck, root, other, later));
    let report = scene.watch.end();
    report.assert_totals(&json!({ "opened": STUCK + 3, "lookups_hung": HUNG_OF_A_USER, "lookups_refused": 3 }));
    report.assert_complete();
    let notices: Vec<&Value> =
        report.of_type("notice").into_iter().filter(|notice| notice["kind"] == "runtimes").collect();
    assert_eq!(notices.len(), 2, "one when the first hangs, one when the first is refused: {notices:#?}");
}

/// What reads malicious files has one capability, one pipe, and a filter on top of the helper's.
#[test]
fn inspection_holds_nothing_but_a_pipe() {
    let machine = Machine::shared();
    let files = FileSystem::with(Path::new("/bin/bash"));
    let scene = Scene::new(&machine);
    let mut stuck = scene.processes(&files, 1, as_root);
    files.set_opens(Opens::Held);
    connect(&mut stuck[0]);
    let helper = scene.helper();
    eventually("a look-up hangs", || !children_of(helper.0).is_empty());
    let inspection = Helper(children_of(helper.0)[0]);
    scene.wait_for_runtime_of(&stuck[0], "cannot be told");
    assert_eq!(privileges_of(inspection.0)[..2], [ONLY_PTRACE; 2]);
    let filters = |pid: u32| status_of(pid, "Seccomp_filters").parse::<u32>().expect("a number");
    assert_eq!(filters(inspection.0), filters(helper.0) + 1);
    let held = inspection.open_files();
    assert_eq!(held[..3], ["/dev/null"; 3], "{held:?}");
    assert!(held.len() == 4 && held[3].starts_with("pipe:"), "{held:?}");
    scene.watch.end();
}

#[test]
fn watch_ends_while_a_lookup_hangs() {
    let machine = Machine::shared();
    let files = FileSystem::with(Path::new("/bin/bash"));
    let scene = Scene::new(&machine);
    let mut stuck = scene.processes(&files, 1, as_root);
    files.set_opens(Opens::Held);
    connect(&mut stuck[0]);
    let helper = scene.helper();
    scene.wait_for_runtime_of(&stuck[0], "cannot be told");
    scene.watch.end().assert_totals(&json!({ "opened": 1, "lookups_hung": 1, "lookups_refused": 0 }));
    helper.assert_gone("after the watch");
}

/// The child that hangs has no end of the helper's socket.
#[test]
fn helper_that_dies_beside_a_hung_lookup_is_missed() {
    let machine = Machine::shared();
    let files = FileSystem::with(Path::new("/bin/bash"));
    let scene = Scene::new(&machine);
    let mut stuck = scene.processes(&files, 1, as_root);
    files.set_opens(Opens::Held);
    connect(&mut stuck[0]);
    let helper = scene.helper();
    eventually("a look-up hangs", || !children_of(helper.0).is_empty());
    helper.signal(Signal::KILL);
    eventually("the watch misses the helper", || {
        fs::read_to_string(scene.folder.path().join("log")).is_ok_and(|log| log.contains("the helper has died"))
    });
    scene.watch.end().assert_totals(&json!({ "opened": 1 }));
}

/// Each of its processes takes two seconds, so all of them take longer than one of another user may wait.
#[test]
fn user_with_slow_executables_gets_no_more_than_a_share() {
    const SLOW: usize = 20;
    let machine = Machine::shared();
    let files = FileSystem::with(Path::new("/bin/bash"));
    let scene = Scene::new(&machine);
    let mut slow = scene.processes(&files, SLOW, as_nobody);
    files.set_opens(Opens::LeftAlone);
    slow.iter_mut().for_each(connect);
    eventually("all have connected", || scene.peer.accepted() == SLOW as u64);
    let mut root = scene.process(Path::new("/bin/bash"), as_root);
    connect(&mut root);
    scene.wait_for_runtime_of(&root, "unknown");
    let answered = slow.iter().filter(|process| !scene.runtimes_of(process).is_empty()).count();
    assert!(answered < SLOW, "the other user had to wait for all of them");
    drop((slow, root));
    scene.watch.end().assert_totals(&json!({ "opened": SLOW + 1, "lookups_hung": 0 }));
}
