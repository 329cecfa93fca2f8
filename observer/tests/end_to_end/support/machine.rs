//! The machine is shared: by the tests of this run, which are threads, and by other test runs. A test that loads the
//! machine or changes a setting takes it exclusively.

use std::{
    fs::{self, File},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Resource, Rlimit, geteuid, getrlimit, setrlimit},
};

use super::{tool, watch::Watch};

/// A lock on the machine, held until drop. Every watch needs one.
pub(crate) struct Machine {
    /// Dropped before the lock, so settings are restored before another test starts.
    settings: Vec<Setting>,
    _lock: File,
}

impl Machine {
    /// Shares the machine with other quiet tests.
    pub(crate) fn shared() -> Self {
        Self::locked(FlockOperation::LockShared)
    }

    /// Takes the machine exclusively, for floods, measurements and fixed ports.
    pub(crate) fn alone() -> Self {
        Self::locked(FlockOperation::LockExclusive)
    }

    fn locked(operation: FlockOperation) -> Self {
        assert!(geteuid().is_root(), "the tests load BPF programs: run them as root");
        let path = std::env::temp_dir().join("tcp-reuse-watch-tests.lock");
        let lock = File::create(&path).expect("cannot create the lock file");
        flock(&lock, operation).expect("cannot lock the machine");
        Self { settings: Vec::new(), _lock: lock }
    }

    /// Starts the tool with `-o json` and these arguments, separated by spaces, and returns once it is attached.
    pub(crate) fn watch(&self, arguments: impl AsRef<str>) -> Watch<'_> {
        Watch::start(self, &mut tool::command(arguments.as_ref()))
    }

    /// Lets both CPUs process loopback packets, interrupting each other. The kernel then skips nested BPF programs.
    pub(crate) fn steer_packets(&mut self) {
        self.settings.push(Setting::change("/sys/class/net/lo/queues/rx-0/rps_cpus", "3"));
    }

    /// Shows the kernel's addresses to root, which are hashed otherwise.
    pub(crate) fn show_kernel_addresses(&mut self) {
        self.settings.push(Setting::change("/proc/sys/kernel/kptr_restrict", "1"));
    }

    /// Makes the kernel measure the run count and run time of each BPF program.
    pub(crate) fn measure_programs(&mut self) {
        self.settings.push(Setting::change("/proc/sys/kernel/bpf_stats_enabled", "1"));
    }

    /// Lets clients send data with their SYN, and every listener accept it (0x403, see ip-sysctl).
    pub(crate) fn allow_fast_open(&mut self) {
        self.settings.push(Setting::change("/proc/sys/net/ipv4/tcp_fastopen", "1027"));
    }
}

/// A kernel setting, restored on drop, even when the test fails.
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
            eprintln!("cannot restore {} to {}: {error}", self.path.display(), self.before.trim());
        }
    }
}

/// Raises the soft limit of open files, which is 1,024 on many machines.
pub(crate) fn allow_open_files(needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })
            .expect("cannot raise the limit of open files (ulimit -n)");
    }
}

/// The number of open files of a process.
pub(crate) fn open_files_of(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is running").count()
}
