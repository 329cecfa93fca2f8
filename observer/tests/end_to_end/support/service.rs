//! Servers of the distribution as a test's own: in the foreground, in a private folder, at ports of their own. Each
//! listens when its start comes back, and ends with its test.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use super::{eventually, sockets::Closed, tool::Process};

/// A database takes a second or two, RabbitMQ six; beside compilers, more.
const TO_LISTEN: Duration = Duration::from_mins(1);
const TO_END: Duration = Duration::from_secs(10);

pub(crate) struct Service {
    process: Process,
    /// The configuration, the data, and what was logged.
    folder: TempDir,
}

/// Where a service lives.
pub(crate) fn folder() -> TempDir {
    tempdir().expect("a folder can be made")
}

impl Service {
    /// Starts it in its folder, with what it writes to standard output and standard error in `log`, and waits until it
    /// listens at all of these ports, which have been kept free for it.
    pub(crate) fn start(command: &mut Command, folder: TempDir, ports: impl IntoIterator<Item = Closed>) -> Self {
        let log = File::create(folder.path().join("log")).expect("a file can be made");
        let copy = log.try_clone().expect("it can be shared");
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(log).stderr(copy);
        let mut service = Self { process: Process::start(command), folder };
        let ports: Vec<Closed> = ports.into_iter().collect();
        let end = Instant::now() + TO_LISTEN;
        while !ports.iter().all(|port| is_listening(service.process.id(), port.address.port())) {
            let status = service.process.has_ended();
            assert!(status.is_none(), "{command:?} ended: {}", service.read("log"));
            assert!(Instant::now() < end, "{command:?} does not listen: {}", service.read("log"));
            sleep(Duration::from_millis(5));
        }
        service
    }

    /// Waits until it has logged this. Some listen before they are ready.
    pub(crate) fn wait_for_log(&self, words: &str) {
        let end = Instant::now() + TO_LISTEN;
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

    /// A file of its folder.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.folder().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Waits until it has closed every connection that it had at this port.
    pub(crate) fn wait_for_closes(&self, port: u16) {
        const OPEN: [&str; 2] = ["01", "08"];
        eventually("the server has closed what its clients closed", || {
            !states(self.process.id(), port).iter().any(|state| OPEN.contains(&state.as_str()))
        });
    }

    /// Ends it in order, and gives what it has written to a file of its folder by then.
    pub(crate) fn end_and_read(mut self, name: &str) -> String {
        self.process.signal(Signal::TERM);
        self.process.wait(TO_END);
        self.read(name)
    }
}

impl Drop for Service {
    /// In order too, as far as possible: some have children, which only they can end.
    fn drop(&mut self) {
        if self.process.has_ended().is_none() {
            self.process.signal(Signal::TERM);
            let end = Instant::now() + TO_END;
            while self.process.has_ended().is_none() && Instant::now() < end {
                sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Looks instead of connecting, since each connection counts.
fn is_listening(pid: u32, port: u16) -> bool {
    const LISTEN: &str = "0A";
    states(pid, port).iter().any(|state| state == LISTEN)
}

/// The states of the sockets at a port of the process's network namespace, as the kernel writes them.
fn states(pid: u32, port: u16) -> Vec<String> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let port = format!(":{port:04X}");
    let state = |line: &str| {
        let [_, local, _, state, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        local.ends_with(&port).then(|| state.to_owned())
    };
    table.lines().filter_map(state).collect()
}
