//! Exclusive use of the machine: scenarios load it and change kernel settings. The end-to-end tests take the same lock.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use rustix::{
    fs::{FlockOperation, flock},
    process::{Resource, Rlimit, geteuid, getrlimit, setrlimit},
};

/// Enough for 500 connections with both ends in this process.
const OPEN_FILES: u64 = 4096;

pub(crate) struct Machine {
    _lock: File,
}

impl Machine {
    pub(crate) fn exclusive() -> Result<Self> {
        ensure!(geteuid().is_root(), "the tests load BPF programs: run them as root");
        let path = std::env::temp_dir().join("tcp-reuse-watch-tests.lock");
        let lock = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        flock(&lock, FlockOperation::LockExclusive).with_context(|| format!("cannot lock {}", path.display()))?;
        raise_open_file_limit()?;
        Ok(Self { _lock: lock })
    }

    /// Makes both processors handle loopback packets, by interrupting each other, until the setting is dropped. The
    /// kernel then skips some programs.
    #[expect(clippy::unused_self, reason = "changing a setting requires exclusive use of the machine")]
    pub(crate) fn steer_packets(&self) -> Result<Setting> {
        Setting::change("/sys/class/net/lo/queues/rx-0/rps_cpus", "3")
    }
}

/// Lets clients send data with the SYN and every listener accept it, without the usual exchange of a cookie first
/// (Documentation/networking/ip-sysctl.rst), until the setting is dropped.
pub(crate) fn allow_fast_open() -> Result<Setting> {
    const CLIENT: u32 = 0x1 | 0x4;
    const SERVER: u32 = 0x2 | 0x200 | 0x400;
    Setting::change("/proc/sys/net/ipv4/tcp_fastopen", &(CLIENT | SERVER).to_string())
}

/// A kernel setting, restored on drop.
pub(crate) struct Setting {
    path: &'static Path,
    before: String,
}

impl Setting {
    fn change(path: &'static str, value: &str) -> Result<Self> {
        let path = Path::new(path);
        let before = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(path, value).with_context(|| format!("cannot set {}", path.display()))?;
        Ok(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Err(error) = fs::write(self.path, self.before.trim()) {
            eprintln!("cannot restore {} to {}: {error}", self.path.display(), self.before.trim());
        }
    }
}

/// Raises the limit of open files, which is 1,024 on many machines.
fn raise_open_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= OPEN_FILES) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(OPEN_FILES));
    setrlimit(Resource::Nofile, Rlimit { current: Some(OPEN_FILES), maximum })
        .context("cannot raise the limit of open files (ulimit -n)")
}
