//! Servers of the distribution, run by a test in the foreground, with a directory and ports of their own. Each listens
//! once `start` returns, and stops with its test.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use super::{eventually, sockets::ReservedPort, tool::Process};

/// A database takes one or two seconds, RabbitMQ six, and longer while compilers run.
const LISTEN_TIMEOUT: Duration = Duration::from_mins(3);
const EXIT_TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) struct Service {
    process: Process,
    /// Holds the configuration, the data and the log.
    folder: TempDir,
}

/// A directory for a service.
pub(crate) fn folder() -> TempDir {
    tempdir().expect("cannot create a directory")
}

impl Service {
    /// Starts a service in its directory, with its standard output and standard error in `log`, and waits until it
    /// listens at all of these reserved ports.
    pub(crate) fn start(command: &mut Command, folder: TempDir, ports: impl IntoIterator<Item = ReservedPort>) -> Self {
        let log = File::create(folder.path().join("log")).expect("cannot create a file");
        let copy = log.try_clone().expect("cannot duplicate the file descriptor");
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(log).stderr(copy);
        let mut service = Self { process: Process::start(command), folder };
        let ports: Vec<ReservedPort> = ports.into_iter().collect();
        let end = Instant::now() + LISTEN_TIMEOUT;
        while !ports.iter().all(|port| is_listening(service.process.id(), port.address.port())) {
            let status = service.process.has_ended();
            assert!(status.is_none(), "{command:?} ended: {}", service.read("log"));
            assert!(Instant::now() < end, "{command:?} does not listen: {}", service.read("log"));
            sleep(Duration::from_millis(5));
        }
        service
    }

    /// Waits until the log contains these words: some services listen before they are ready.
    pub(crate) fn wait_for_log(&self, words: &str) {
        let end = Instant::now() + LISTEN_TIMEOUT;
        while !self.read("log").contains(words) {
            assert!(Instant::now() < end, "{words:?} was not logged: {}", self.read("log"));
            sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Reads a file in the service's directory.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.folder().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Waits until the service has closed all its connections at this port.
    pub(crate) fn wait_for_closes(&self, port: u16) {
        const OPEN: [&str; 2] = ["01", "08"];
        eventually("the server has closed its connections", || {
            !states(self.process.id(), port).iter().any(|state| OPEN.contains(&state.as_str()))
        });
    }

    /// Stops the service with SIGTERM, and returns the contents of a file in its directory.
    pub(crate) fn stop_and_read(mut self, name: &str) -> String {
        self.process.signal(Signal::TERM);
        self.process.wait(EXIT_TIMEOUT);
        self.read(name)
    }
}

impl Drop for Service {
    /// Uses SIGTERM if it can: some services have child processes that only they can stop.
    fn drop(&mut self) {
        if self.process.has_ended().is_none() {
            self.process.signal(Signal::TERM);
            let end = Instant::now() + EXIT_TIMEOUT;
            while self.process.has_ended().is_none() && Instant::now() < end {
                sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Reads the kernel's socket table instead of connecting, because every connection is counted.
fn is_listening(pid: u32, port: u16) -> bool {
    const LISTEN: &str = "0A";
    states(pid, port).iter().any(|state| state == LISTEN)
}

/// The states of the sockets at a local port in the process's network namespace, in the kernel's notation.
fn states(pid: u32, port: u16) -> Vec<String> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let port = format!(":{port:04X}");
    let state = |line: &str| {
        let [_, local, _, state, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        local.ends_with(&port).then(|| state.to_owned())
    };
    table.lines().filter_map(state).collect()
}
