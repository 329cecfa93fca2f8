//! `--metrics unix:PATH`: who may use the socket, what it replaces, and when it is removed.

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    io::Write as _,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::{Signal, geteuid};
use tempfile::{TempDir, tempdir};

use crate::support::{
    eventually,
    helper::{NO_CAPABILITY, children_of, privileges_of},
    http,
    machine::Machine,
    metrics::{Answer, read_answer},
    nobody::{as_nobody, chown_to_nobody, world_executable_tool},
    peer::{Peer, ask},
    programs::program,
    tool::{self, Process, RunOutput},
};

const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

fn folder() -> TempDir {
    tempdir().expect("cannot create a directory")
}

fn daemon(socket: &Path) -> Command {
    let mut command = tool::command("-p 1 -o none");
    command.arg(option(socket)).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn option(socket: &Path) -> std::ffi::OsString {
    OsStr::from_bytes(&[b"--metrics=unix:", socket.as_os_str().as_bytes()].concat()).to_owned()
}

fn get(socket: &Path, path: &str, headers: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).expect("cannot connect");
    stream.set_read_timeout(Some(EXIT_TIMEOUT)).expect("cannot set the timeout");
    http::send(&mut stream, format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n"));
    read_answer(&mut stream)
}

/// Starts a watch, and returns once it serves metrics.
fn start(mut command: Command, socket: &Path) -> Process {
    let watch = Process::start(&mut command);
    eventually("it listens", || UnixStream::connect(socket).is_ok());
    assert_eq!(get(socket, "/healthz", "").text(), "ok\n");
    watch
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[test]
fn metrics_are_served_at_a_unix_socket() {
    let machine = Machine::shared();
    let folder = folder();
    let socket = folder.path().join("metrics.sock");
    let peer = Peer::echo();
    // The umask takes nothing away.
    let mut watch = machine.watch(format!("-p {} --metrics unix:{}", peer.port(), socket.display()));
    let metadata = socket.metadata().expect("the socket is there");
    assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o660, geteuid().as_raw()));
    ask(&mut peer.connect());
    peer.wait_for(1);
    eventually("the exchange is counted", || {
        get(&socket, "/metrics", "").text().contains("tcp_reuse_host_exchanges_total{connection=\"new\"} 1\n")
    });
    // No browser reaches a Unix socket.
    assert_eq!(get(&socket, "/healthz", "host: evil.example\r\n").status(), 200);
    watch.tool.signal(Signal::INT);
    let report = watch.ended();
    assert!(!exists(&socket), "the socket is removed before the watch has ended");
    let place = format!("metrics are served at unix:{}", socket.display());
    assert!(report.of_type("notice").iter().any(|notice| notice["message"] == place), "{place:?} is announced");
}

/// The child that removes the socket has no privileges, and holds no files of the watch.
#[test]
fn socket_is_removed_however_the_watch_ends() {
    let _machine = Machine::shared();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let folder = folder();
        let socket = folder.path().join("metrics.sock");
        let mut watch = start(daemon(&socket), &socket);
        let name = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let remover = children_of(watch.id()).into_iter().find(|pid| name(pid) == "reuse-remover\n");
        let remover = remover.expect("a child removes the socket");
        eventually("the child has no privileges", || {
            privileges_of(remover)[..4].iter().all(|set| set == NO_CAPABILITY)
        });
        watch.signal(signal);
        watch.wait(EXIT_TIMEOUT);
        eventually("the socket is removed", || !exists(&socket));
        eventually("the child has ended", || !Path::new(&format!("/proc/{remover}/fd/0")).exists());
    }
}

#[test]
fn socket_is_removed_if_the_watch_fails_to_start() {
    let _machine = Machine::shared();
    let folder = folder();
    let socket = folder.path().join("metrics.sock");
    let mut command = tool::command("-p 1 --record /nonexistent/file");
    RunOutput::run(command.arg(option(&socket))).assert_code(1);
    assert!(!exists(&socket), "the socket is removed");
    let (_tool_folder, tool) = world_executable_tool();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("cannot set the permissions");
    RunOutput::run(as_nobody(&tool, "-p 1").arg(option(&socket))).assert_code(4);
    assert!(!exists(&socket), "the socket is removed");
}

/// Without capabilities, root cannot change the directory of another user.
#[test]
fn socket_in_the_directory_of_another_user_is_removed() {
    let _machine = Machine::shared();
    let folder = folder();
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).expect("cannot create a directory");
    chown_to_nobody(&theirs);
    let socket = theirs.join("metrics.sock");
    let mut watch = start(daemon(&socket), &socket);
    watch.signal(Signal::TERM);
    watch.wait(EXIT_TIMEOUT);
    assert!(!exists(&socket), "the socket is removed");
}

#[test]
fn stale_socket_is_replaced() {
    let _machine = Machine::shared();
    let folder = folder();
    let socket = folder.path().join(OsStr::from_bytes(b"not UTF-8 \xff.sock"));
    drop(UnixListener::bind(&socket).expect("cannot bind"));
    assert!(exists(&socket));
    let mut watch = start(daemon(&socket), &socket);
    // Its successor's socket is not this watch's to remove.
    fs::remove_file(&socket).expect("cannot remove the socket");
    let _successor = UnixListener::bind(&socket).expect("cannot bind");
    watch.signal(Signal::TERM);
    watch.wait(EXIT_TIMEOUT);
    assert!(exists(&socket), "another socket of the same name stays");
}

#[test]
fn live_sockets_and_other_files_are_refused() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let _live = UnixListener::bind(path("live")).expect("cannot bind");
    let _datagram = UnixDatagram::bind(path("datagram")).expect("cannot bind");
    drop(UnixListener::bind(path("stale")).expect("cannot bind"));
    fs::write(path("file"), "content").expect("cannot write the file");
    fs::create_dir(path("directory")).expect("cannot create a directory");
    symlink(path("stale"), path("link")).expect("cannot create a link");
    symlink(path("nothing"), path("dangling")).expect("cannot create a link");
    for (name, words) in [
        ("live", "in use"),
        ("datagram", "in use"),
        ("file", "a file"),
        ("directory", "a directory"),
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("absent/socket", "directory"),
    ] {
        let ended = RunOutput::run(tool::command("-p 1 --duration 1").arg(option(&path(name))));
        ended.assert_code(1);
        assert!(ended.stderr.contains(words) && ended.stderr.contains(name), "{name}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "nothing is attached");
    }
    assert_eq!(fs::read_to_string(path("file")).expect("the file is there"), "content");
    assert!(exists(&path("stale")) && exists(&path("live")) && !exists(&path("nothing")));
    let long = RunOutput::run(tool::command("-p 1 --duration 1").arg(option(Path::new(&"x".repeat(108)))));
    long.assert_code(2);
    assert!(long.stderr.contains("107 bytes"), "{}", long.stderr);
}

/// A user of the group that holds as many connections as it can get. It writes a line once each has been answered.
const HOLD: &str = r"
import socket, sys
held = []
for _ in range(40):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
    s.sendall(b'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
    s.recv(1); held.append(s)
print(flush=True)
sys.stdin.read()
";

#[test]
fn user_with_many_connections_closes_only_its_own() {
    const REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let _machine = Machine::shared();
    let folder = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("cannot set the permissions");
    let socket = folder.path().join("metrics.sock");
    let mut watch = start(daemon(&socket), &socket);
    let mut scraper = UnixStream::connect(&socket).expect("cannot connect");
    scraper.set_read_timeout(Some(EXIT_TIMEOUT)).expect("cannot set the timeout");
    http::send(&mut scraper, REQUEST);
    http::read_answer(&mut scraper);
    let mut hostile = program("setpriv", "util-linux");
    hostile.args(["--reuid=65534", "--regid=0", "--clear-groups", "/usr/bin/python3", "-c", HOLD]).arg(&socket);
    let mut hostile = Process::start(hostile.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut line = [0];
    let mut stdout = hostile.child.stdout.take().expect("the stream is piped");
    std::io::Read::read_exact(&mut stdout, &mut line).expect("all its connections are answered");
    http::send(&mut scraper, REQUEST);
    http::read_answer(&mut scraper);
    hostile.child.stdin.take().expect("the stream is piped").flush().expect("the pipe is open");
    watch.signal(Signal::TERM);
    assert_eq!(watch.wait(EXIT_TIMEOUT).code(), Some(0));
}
