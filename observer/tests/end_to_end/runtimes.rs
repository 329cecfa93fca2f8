//! Which runtime a process is, told by a helper that alone may look into other users' processes; and what that helper
//! may not do: hold more than it needs, outlive the watch, or stop it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    eventually, go,
    helper::{Helper, NO_CAPABILITY, PTRACE_ALONE, as_nobody, children_of, privileges_of, runtimes_in},
    machine::Machine,
    peer::{Peer, ask},
    programs::{output_of, program},
    tool::{Ended, PROGRAM, Process},
    watch::Watch,
};

/// A server that never answers, so that its clients wait.
struct Silence {
    port: u16,
    held: Arc<Mutex<Vec<TcpStream>>>,
    is_over: Arc<AtomicBool>,
}

impl Silence {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let held = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (clients, over) = (Arc::clone(&held), Arc::clone(&is_over));
        thread::spawn(move || {
            let clients_to_come = listener.incoming().flatten().take_while(|_| !over.load(Ordering::Relaxed));
            clients_to_come.for_each(|client| clients.lock().unwrap().push(client));
        });
        Self { port, held, is_over }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn clients(&self) -> usize {
        self.held.lock().unwrap().len()
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Nobody is left to see this connection, which only wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A watch of one port, and its log.
struct Logged<'a> {
    watch: Watch<'a>,
    log: PathBuf,
    _folder: TempDir,
}

impl<'a> Logged<'a> {
    fn start(machine: &'a Machine, port: u16) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let log = folder.path().join("log");
        let watch = machine.watch(format!("-p {port} -v --log-file {}", log.display()));
        Self { watch, log, _folder: folder }
    }

    fn helper(&self) -> Helper {
        Helper::of(self.watch.tool.id())
    }

    fn runtime_of(&self, process: &Process) -> String {
        let told = self.runtimes_of(process, 1);
        let (_, runtime) = told[0].split_once(": ").expect("a name and a runtime");
        runtime.to_string()
    }

    /// Under each of so many names that it has.
    fn runtimes_of(&self, process: &Process, names: usize) -> Vec<String> {
        let mut told = Vec::new();
        eventually(&format!("the log tells what {} is", process.id()), || {
            told = runtimes_in(&self.log, process.id());
            told.len() == names
        });
        told
    }
}

fn quiet(mut command: Command) -> Process {
    Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
}

fn python(port: u16) -> Command {
    let mut command = program("/usr/bin/python3", "python3");
    let connect = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1)";
    command.args(["-I", "-c", connect, &port.to_string()]);
    command
}

/// That has loaded pycurl, whatever it connects by.
fn pycurl(port: u16) -> Command {
    let mut command = program("/usr/bin/python3", "python3-pycurl");
    let connect = "import pycurl, socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1)";
    command.args(["-I", "-c", connect, &port.to_string()]);
    command
}

fn ruby(port: u16) -> Command {
    let mut command = program("ruby", "ruby");
    command.args(["-rsocket", "-e", &format!("TCPSocket.new('127.0.0.1', {port}).read")]);
    command
}

fn php(port: u16) -> Command {
    let mut command = program("php", "php-cli");
    command.args(["-r", &format!("fgets(fsockopen('127.0.0.1', {port}));")]);
    command
}

fn perl(port: u16) -> Command {
    let mut command = program("perl", "perl-base");
    command.args(["-MIO::Socket::INET", "-e", &format!("IO::Socket::INET->new('127.0.0.1:{port}')->getline")]);
    command
}

fn erlang(port: u16) -> Command {
    let mut command = program("erl", "erlang-base");
    let connect =
        format!("{{ok, S}} = gen_tcp:connect(\"127.0.0.1\", {port}, [{{active, false}}]), gen_tcp:recv(S, 0).");
    command.args(["-noinput", "-eval", &connect]);
    command
}

fn node(port: u16) -> Command {
    let mut command = program("node", "nodejs");
    command.args(["-e", &format!("require('net').connect({port}, '127.0.0.1')")]);
    command
}

fn java(port: u16) -> Command {
    let mut command = program("java", "openjdk-17-jdk-headless");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/programs/Waiting.java");
    command.arg("-XX:TieredStopAtLevel=1").arg(source).arg(port.to_string());
    command
}

fn curl(silence: &Silence) -> Command {
    let mut command = program("curl", "curl");
    command.args(["--silent", "--noproxy", "*", &silence.url()]);
    command
}

fn bash(port: u16) -> Command {
    let mut command = program("bash", "bash");
    command.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -u 3")]);
    command
}

fn go(silence: &Silence) -> Command {
    go::client(&format!("-times 1 -url {}", silence.url()))
}

/// `Go 1.19.8`, by Go's own word.
fn go_itself() -> String {
    let said = output_of(program("go", "golang-go").args(["env", "GOVERSION"]));
    format!("Go {}", said.trim().strip_prefix("go").expect("a release of Go"))
}

/// A copy of a program that only nobody may read and run.
fn private_to_nobody(original: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(original.file_name().expect("a program has a name"));
    fs::copy(original, &copy).expect("it can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o500)).expect("it can be made private");
    chown(&copy, Some(65534), Some(65534)).expect("it can be given away");
    copy
}

#[test]
fn each_runtime_is_told_of_every_user() {
    let machine = Machine::shared();
    let silence = Silence::start();
    let port = silence.port;
    let cases = [
        (go(&silence), go_itself()),
        (node(port), "Node".into()),
        (python(port), "Python".into()),
        (java(port), "Java".into()),
        (pycurl(port), "Python with pycurl".into()),
        (ruby(port), "Ruby".into()),
        (php(port), "PHP".into()),
        (perl(port), "Perl".into()),
        (erlang(port), "Erlang".into()),
        (curl(&silence), "libcurl".into()),
        (bash(port), "unknown".into()),
        (as_nobody(&python(port)), "Python".into()),
        (as_nobody(&curl(&silence)), "libcurl".into()),
    ];
    let logged = Logged::start(&machine, port);
    let clients: Vec<(Process, String, String)> = cases
        .into_iter()
        .map(|(command, expected)| {
            let name = format!("{command:?}");
            (quiet(command), name, expected)
        })
        .collect();
    let this = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    eventually("all have connected", || silence.clients() == clients.len() + 1);
    let wrong: Vec<String> = clients
        .iter()
        .map(|(process, name, expected)| (logged.runtime_of(process), name, expected))
        .filter(|(told, _, expected)| told != *expected)
        .map(|(told, name, expected)| format!("{name} is {expected}, not {told}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let count = clients.len() + 1;
    eventually("the log tells what this test is", || {
        let told = runtimes_in(&logged.log, std::process::id());
        told.iter().any(|told| told.ends_with(": Rust"))
    });
    drop((this, clients));
    logged.watch.end().assert_totals(&json!({ "opened": count }));
}

/// The right to look into processes is none to read everybody's files.
#[test]
fn of_a_private_executable_only_what_is_mapped_is_told() {
    let machine = Machine::shared();
    let silence = Silence::start();
    let folder = TempDir::new().expect("a folder can be made");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it can be opened to all");
    let moved = |command: &Command| {
        let found = output_of(Command::new("which").arg(command.get_program()));
        let path = private_to_nobody(&fs::canonicalize(found.trim()).expect("it is there"), folder.path());
        let mut moved = Command::new(path);
        moved.args(command.get_args());
        as_nobody(&moved)
    };
    let [go, python] = [go(&silence), python(silence.port)].map(|command| moved(&command));
    let logged = Logged::start(&machine, silence.port);
    let (go, python) = (quiet(go), quiet(python));
    assert_eq!(logged.runtime_of(&python), "Python");
    assert_eq!(logged.runtime_of(&go), "cannot be told");
    drop((go, python));
    logged.watch.end().assert_totals(&json!({ "opened": 2 }));
}

/// The one that connected is gone when it is asked for: what is there now is not what it was.
#[test]
fn a_program_that_takes_a_process_over_is_not_taken_for_the_one_before() {
    let machine = Machine::shared();
    let silence = Silence::start();
    let logged = Logged::start(&machine, silence.port);
    let mut command = program("bash", "bash");
    let port = silence.port;
    command.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}; exec /usr/bin/python3 -c 'input()'")]);
    // So that it is not asked for before it is gone.
    let stopped = logged.helper().stop();
    let process = Process::start(command.stdin(Stdio::piped()));
    let executable = format!("/proc/{}/exe", process.id());
    eventually("Python has taken it over", || {
        fs::read_link(&executable).is_ok_and(|path| path.to_string_lossy().contains("python"))
    });
    drop(stopped);
    assert_eq!(logged.runtimes_of(&process, 1), ["bash: cannot be told"]);
    drop(process);
    logged.watch.end().assert_totals(&json!({ "opened": 1 }));
}

/// And when it has been answered for, its successor is asked for by itself.
#[test]
fn a_program_that_takes_a_process_over_is_told_of_by_itself() {
    let machine = Machine::shared();
    let (first, second) = (Silence::start(), Silence::start());
    let folder = TempDir::new().expect("a folder can be made");
    let log = folder.path().join("log");
    let watch = machine.watch(format!("-p {},{} -v --log-file {}", first.port, second.port, log.display()));
    let logged = Logged { watch, log, _folder: folder };
    let mut command = program("bash", "bash");
    let connect = format!("import socket; socket.create_connection((\"127.0.0.1\", {})).recv(1)", second.port);
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}; read; exec /usr/bin/python3 -c '{connect}'", first.port);
    let mut process = Process::start(command.args(["-c", &script]).stdin(Stdio::piped()));
    assert_eq!(logged.runtimes_of(&process, 1), ["bash: unknown"]);
    drop(process.child.stdin.take());
    assert_eq!(logged.runtimes_of(&process, 2), ["bash: unknown", "python3: Python"]);
    drop(process);
    logged.watch.end().assert_totals(&json!({ "opened": 2 }));
}

#[test]
fn neither_process_has_more_than_it_needs() {
    let machine = Machine::shared();
    let silence = Silence::start();
    let logged = Logged::start(&machine, silence.port);
    let (watch, helper) = (logged.watch.tool.id(), logged.helper());
    let none = NO_CAPABILITY;
    assert_eq!(privileges_of(watch), [none, none, none, none, "1"], "of the watch");
    assert_eq!(privileges_of(helper.0), [PTRACE_ALONE, PTRACE_ALONE, none, none, "1"], "of the helper");
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", helper.0)).unwrap(), "reuse-helper\n");
    let files = helper.open_files();
    assert_eq!(files[..3], ["/dev/null"; 3], "{files:?}");
    assert!(files.len() == 4 && files[3].starts_with("socket:"), "{files:?}");
    logged.watch.end();
    helper.assert_gone("after the watch");
}

#[test]
fn the_helper_ends_with_the_watch() {
    let (machine, silence) = (Machine::shared(), Silence::start());
    for signal in [Signal::INT, Signal::KILL] {
        let mut logged = Logged::start(&machine, silence.port);
        let helper = logged.helper();
        logged.watch.tool.signal(signal);
        logged.watch.tool.wait(Duration::from_secs(5));
        helper.assert_gone(&format!("after {signal:?}"));
    }
    // Killed while the helper is stopped.
    let mut logged = Logged::start(&machine, silence.port);
    let helper = logged.helper();
    let _stopped = helper.stop();
    logged.watch.tool.signal(Signal::KILL);
    logged.watch.tool.wait(Duration::from_secs(5));
    helper.assert_gone("after its stopped watch");
}

/// Ctrl-C at a terminal goes to both.
#[test]
fn what_ends_a_watch_leaves_its_helper_until_it_has_ended() {
    let machine = Machine::shared();
    let silence = Silence::start();
    let logged = Logged::start(&machine, silence.port);
    let helper = logged.helper();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        helper.signal(signal);
    }
    let client = quiet(bash(silence.port));
    assert_eq!(logged.runtime_of(&client), "unknown");
    assert!(helper.is_there());
    drop(client);
    logged.watch.end();
    helper.assert_gone("after the watch");
}

#[test]
fn without_its_helper_a_watch_goes_on() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    for signal in [Signal::KILL, Signal::STOP] {
        let logged = Logged::start(&machine, peer.port());
        let helper = logged.helper();
        let stopped = (signal == Signal::STOP).then(|| helper.stop());
        if stopped.is_none() {
            helper.signal(signal);
        }
        let mut stream = peer.connect();
        ask(&mut stream);
        // Until it has asked and, of a helper that is dead, knows.
        thread::sleep(Duration::from_millis(2_200));
        ask(&mut stream);
        drop(stream);
        assert!(stopped.is_some() || children_of(logged.watch.tool.id()).is_empty(), "a zombie is left");
        logged.watch.end().assert_totals(&json!({ "opened": 1, "exchanges": 2 }));
        helper.assert_gone(&format!("after {signal:?} and the watch's end"));
    }
}

#[test]
fn without_the_right_for_it_there_is_no_helper() {
    let _machine = Machine::shared();
    let mut setpriv = program("setpriv", "util-linux");
    setpriv.args(["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace", "--", PROGRAM]);
    let ended = Ended::run(setpriv.args(["-p", "9", "-v", "--duration", "1500ms", "-o", "json"]));
    ended.assert_code(0);
    assert!(ended.stderr.contains("runtimes stay unknown: CAP_SYS_PTRACE is missing"), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
}
