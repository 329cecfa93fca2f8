//! Runtime detection by a helper process, which alone may inspect other users' processes. The helper must not hold more
//! privileges than it needs, outlive the watch, or block it.

use std::{
    fs,
    io::Read as _,
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
    helper::{Helper, as_nobody, children_of, runtimes_in, status_of},
    machine::Machine,
    peer::{Peer, ask},
    programs::{output_of, program},
    report::Report,
    tool::{PROGRAM, Process, RunOutput, RunningWatch},
    watch::Watch,
};

/// A server that never answers, so its clients keep waiting.
struct SilentServer {
    port: u16,
    held: Arc<Mutex<Vec<TcpStream>>>,
    is_over: Arc<AtomicBool>,
}

impl SilentServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("cannot listen");
        let port = listener.local_addr().expect("the listener is bound").port();
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

impl Drop for SilentServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // This connection only wakes the listener, after the watch has ended.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A watch of one port, and its log file.
struct Logged<'a> {
    watch: Watch<'a>,
    log: PathBuf,
    _folder: TempDir,
}

impl<'a> Logged<'a> {
    fn start(machine: &'a Machine, port: u16) -> Self {
        let folder = TempDir::new().expect("cannot create a directory");
        let log = folder.path().join("log");
        let watch = machine.watch(format!("-p {port} -v --log-file {}", log.display()));
        Self { watch, log, _folder: folder }
    }

    fn helper(&self) -> Helper {
        Helper::of(self.watch.tool.id())
    }

    fn runtime_of(&self, process: &Process) -> String {
        let found = self.runtimes_of(process, 1);
        let (_, runtime) = found[0].split_once(": ").expect("a name and a runtime");
        runtime.to_string()
    }

    /// Waits for the runtimes under each of the names that the process had.
    fn runtimes_of(&self, process: &Process, names: usize) -> Vec<String> {
        let mut found = Vec::new();
        eventually(&format!("the log names the runtime of {}", process.id()), || {
            found = runtimes_in(&self.log, process.id());
            found.len() == names
        });
        found
    }
}

fn start_quietly(mut command: Command) -> Process {
    Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
}

fn python(port: u16) -> Command {
    let mut command = program("/usr/bin/python3", "python3");
    let connect = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1)";
    command.args(["-I", "-c", connect, &port.to_string()]);
    command
}

/// A Python process that has loaded pycurl; it connects with a plain socket.
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

fn curl(server: &SilentServer) -> Command {
    let mut command = program("curl", "curl");
    command.args(["--silent", "--noproxy", "*", &server.url()]);
    command
}

fn bash(port: u16) -> Command {
    let mut command = program("bash", "bash");
    command.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -u 3")]);
    command
}

fn go(server: &SilentServer) -> Command {
    go::client(&format!("-times 1 -url {}", server.url()))
}

/// Go's own version, such as `Go 1.19.8`.
fn go_version() -> String {
    let version = output_of(program("go", "golang-go").args(["env", "GOVERSION"]));
    format!("Go {}", version.trim().strip_prefix("go").expect("a release of Go"))
}

/// A copy of a program that only `nobody` may read and run.
fn private_to_nobody(original: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(original.file_name().expect("a program has a name"));
    fs::copy(original, &copy).expect("cannot copy the program");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o500)).expect("cannot set the permissions");
    chown(&copy, Some(65534), Some(65534)).expect("cannot change the owner");
    copy
}

#[test]
fn runtimes_are_detected_for_every_user() {
    let machine = Machine::shared();
    let server = SilentServer::start();
    let port = server.port;
    let cases = [
        (go(&server), go_version()),
        (node(port), "Node".into()),
        (python(port), "Python".into()),
        (java(port), "Java".into()),
        (pycurl(port), "Python with pycurl".into()),
        (ruby(port), "Ruby".into()),
        (php(port), "PHP".into()),
        (perl(port), "Perl".into()),
        (erlang(port), "Erlang".into()),
        (curl(&server), "libcurl".into()),
        (bash(port), "unknown".into()),
        (as_nobody(&python(port)), "Python".into()),
        (as_nobody(&curl(&server)), "libcurl".into()),
    ];
    let logged = Logged::start(&machine, port);
    let clients: Vec<(Process, String, String)> = cases
        .into_iter()
        .map(|(command, expected)| {
            let name = format!("{command:?}");
            (start_quietly(command), name, expected)
        })
        .collect();
    let this = TcpStream::connect(("127.0.0.1", port)).expect("cannot connect");
    eventually("all clients have connected", || server.clients() == clients.len() + 1);
    let wrong: Vec<String> = clients
        .iter()
        .map(|(process, name, expected)| (logged.runtime_of(process), name, expected))
        .filter(|(found, _, expected)| found != *expected)
        .map(|(found, name, expected)| format!("{name} is {expected}, not {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let count = clients.len() + 1;
    eventually("the log names the runtime of this test", || {
        let found = runtimes_in(&logged.log, std::process::id());
        found.iter().any(|found| found.ends_with(": Rust"))
    });
    drop((this, clients));
    logged.watch.end().assert_totals(&json!({ "opened": count }));
}

/// CAP_SYS_PTRACE does not allow the helper to read other users' files.
#[test]
fn private_executable_is_detected_only_by_its_mappings() {
    let machine = Machine::shared();
    let server = SilentServer::start();
    let folder = TempDir::new().expect("cannot create a directory");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("cannot set the permissions");
    let moved = |command: &Command| {
        let found = output_of(Command::new("which").arg(command.get_program()));
        let path = private_to_nobody(&fs::canonicalize(found.trim()).expect("cannot resolve the path"), folder.path());
        let mut moved = Command::new(path);
        moved.args(command.get_args());
        as_nobody(&moved)
    };
    let [go, python] = [go(&server), python(server.port)].map(|command| moved(&command));
    let logged = Logged::start(&machine, server.port);
    let (go, python) = (start_quietly(go), start_quietly(python));
    assert_eq!(logged.runtime_of(&python), "Python");
    assert_eq!(logged.runtime_of(&go), "cannot be told");
    drop((go, python));
    logged.watch.end().assert_totals(&json!({ "opened": 2 }));
}

/// The program that connected is replaced before the helper inspects it: the new program must not be reported in its
/// place.
#[test]
fn program_replaced_by_exec_before_detection_stays_unknown() {
    let machine = Machine::shared();
    let server = SilentServer::start();
    let logged = Logged::start(&machine, server.port);
    let mut command = program("bash", "bash");
    let port = server.port;
    command.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}; exec /usr/bin/python3 -c 'input()'")]);
    // Keeps the helper from inspecting the process before the exec.
    let stopped = logged.helper().stop();
    let process = Process::start(command.stdin(Stdio::piped()));
    let executable = format!("/proc/{}/exe", process.id());
    eventually("Python runs in the process", || {
        fs::read_link(&executable).is_ok_and(|path| path.to_string_lossy().contains("python"))
    });
    drop(stopped);
    assert_eq!(logged.runtimes_of(&process, 1), ["bash: cannot be told"]);
    drop(process);
    logged.watch.end().assert_totals(&json!({ "opened": 1 }));
}

/// After the first program has been detected, its successor is detected on its own.
#[test]
fn program_after_exec_is_detected_separately() {
    let machine = Machine::shared();
    let (first, second) = (SilentServer::start(), SilentServer::start());
    let folder = TempDir::new().expect("cannot create a directory");
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

/// sudo tells who has called it. Root is nobody's caller.
#[test]
fn watch_becomes_the_caller_of_sudo() {
    let (machine, peer) = (Machine::shared(), Peer::echo());
    for (caller, expected) in [(["1234", "1235"], ["1234", "1235"]), (["0", "0"], ["65534", "65534"])] {
        let mut command = Command::new(PROGRAM);
        command.envs([("SUDO_UID", caller[0]), ("SUDO_GID", caller[1])]);
        command.args(["-o", "json", "-p", &peer.port().to_string()]);
        let mut watch = RunningWatch::start_command(&mut command);
        let id = |name| status_of(watch.tool.id(), name).split_whitespace().next().map(str::to_owned);
        assert_eq!([id("Uid"), id("Gid")], expected.map(|id| Some(id.to_owned())));
        ask(&mut peer.connect());
        watch.tool.signal(Signal::INT);
        let mut text = watch.first;
        watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
        Report::read(text.lines().map(str::to_owned)).assert_totals(&json!({ "opened": 1, "exchanges": 1 }));
        watch.tool.wait(Duration::from_secs(30));
    }
    drop(machine);
}

#[test]
fn helper_exits_with_the_watch() {
    let (machine, server) = (Machine::shared(), SilentServer::start());
    for signal in [Signal::INT, Signal::KILL] {
        let mut logged = Logged::start(&machine, server.port);
        let helper = logged.helper();
        logged.watch.tool.signal(signal);
        logged.watch.tool.wait(Duration::from_mins(2));
        helper.assert_gone(&format!("after {signal:?}"));
    }
    // Kills the watch while the helper is stopped.
    let mut logged = Logged::start(&machine, server.port);
    let helper = logged.helper();
    let _stopped = helper.stop();
    logged.watch.tool.signal(Signal::KILL);
    logged.watch.tool.wait(Duration::from_mins(2));
    helper.assert_gone("after its stopped watch");
}

/// Ctrl-C at a terminal signals both processes.
#[test]
fn helper_ignores_the_signals_that_end_a_watch() {
    let machine = Machine::shared();
    let server = SilentServer::start();
    let logged = Logged::start(&machine, server.port);
    let helper = logged.helper();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        helper.signal(signal);
    }
    let client = start_quietly(bash(server.port));
    assert_eq!(logged.runtime_of(&client), "unknown");
    assert!(helper.is_alive());
    drop(client);
    logged.watch.end();
    helper.assert_gone("after the watch");
}

#[test]
fn watch_continues_without_its_helper() {
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
        // Long enough for the watch to query the helper, and to notice a dead one.
        thread::sleep(Duration::from_millis(2_200));
        ask(&mut stream);
        drop(stream);
        assert!(stopped.is_some() || children_of(logged.watch.tool.id()).is_empty(), "the helper is left as a zombie");
        logged.watch.end().assert_totals(&json!({ "opened": 1, "exchanges": 2 }));
        helper.assert_gone(&format!("after {signal:?} and the watch's end"));
    }
}

#[test]
fn missing_ptrace_capability_disables_the_helper() {
    let _machine = Machine::shared();
    let mut setpriv = program("setpriv", "util-linux");
    setpriv.args(["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace", "--", PROGRAM]);
    let ended = RunOutput::run(setpriv.args(["-p", "9", "-v", "--duration", "1500ms", "-o", "json"]));
    ended.assert_code(0);
    assert!(ended.stderr.contains("runtimes stay unknown: CAP_SYS_PTRACE is missing"), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
}
