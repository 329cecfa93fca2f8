//! The machine is shared: by the tests of this run, which are threads, and by other runs. Who loads it, or changes a
//! setting, has it alone.

use std::{
    fs::{self, File},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Resource, Rlimit, geteuid, getrlimit, setrlimit},
};

use super::watch::Watch;

/// The right to use the machine until it is dropped. Every watch needs one.
pub(crate) struct Machine {
    /// Dropped last: what was changed is changed back before anybody else comes.
    settings: Vec<Setting>,
    _lock: File,
}

impl Machine {
    /// Beside others that are as quiet.
    pub(crate) fn shared() -> Self {
        Self::locked(FlockOperation::LockShared)
    }

    /// For floods, measurements and fixed ports.
    pub(crate) fn alone() -> Self {
        Self::locked(FlockOperation::LockExclusive)
    }

    fn locked(operation: FlockOperation) -> Self {
        assert!(geteuid().is_root(), "programs are loaded into the kernel here: run the tests as root");
        let path = std::env::temp_dir().join("tcp-reuse-watch-tests.lock");
        let lock = File::create(&path).expect("a lock file can be created");
        flock(&lock, operation).expect("the machine can be locked");
        Self { settings: Vec::new(), _lock: lock }
    }

    /// Starts the tool with these arguments, separated by spaces, and `-o json`. It is attached when this comes back.
    pub(crate) fn watch(&self, arguments: impl AsRef<str>) -> Watch<'_> {
        Watch::start(self, arguments.as_ref())
    }

    /// Lets both processors work on loopback's packets, by interrupting each other. Then the kernel skips programs.
    pub(crate) fn steer_packets(&mut self) {
        self.settings.push(Setting::change("/sys/class/net/lo/queues/rx-0/rps_cpus", "3"));
    }

    /// Lets the kernel measure how often and for how long each BPF program runs.
    pub(crate) fn measure_programs(&mut self) {
        self.settings.push(Setting::change("/proc/sys/kernel/bpf_stats_enabled", "1"));
    }

    /// Lets clients send data with their SYN, and every listener take it (0x403, see ip-sysctl).
    pub(crate) fn allow_fast_open(&mut self) {
        self.settings.push(Setting::change("/proc/sys/net/ipv4/tcp_fastopen", "1027"));
    }
}

/// A setting of the kernel, restored when dropped, also when a test fails.
struct Setting {
    path: &'static Path,
    before: String,
}

impl Setting {
    fn change(path: &'static str, value: &str) -> Self {
        let path = Path::new(path);
        let before = fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        fs::write(path, value).unwrap_or_else(|error| panic!("cannot set {}: {error}", path.display()));
        Self { path, before }
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Err(error) = fs::write(self.path, self.before.trim()) {
            eprintln!("{} was {} and cannot be set back: {error}", self.path.display(), self.before.trim());
        }
    }
}

/// Raises the soft limit of open files, which is 1,024 on many machines.
pub(crate) fn allow_open_files(needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })
            .expect("the limit of open files (ulimit -n) can be raised");
    }
}
