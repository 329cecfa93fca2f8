//! Boots a kernel with the initramfs under QEMU and reads its console until it powers off.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use super::architecture::Architecture;
use super::image::{BEGIN, END};
use super::kernels::Kernel;

/// Before a set of hooks that the kernel has to refuse, for the scenario runner.
pub(super) const REFUSED: &str = "!";

/// Boots before giving up on a kernel that never reaches the init script. No code of this project has run by then.
const ATTEMPTS: usize = 3;

/// The outcome of a boot.
#[derive(Debug, Default)]
pub(crate) struct Booted {
    /// Version and architecture
    pub(super) kernel: String,
    /// The init script started.
    pub(super) has_begun: bool,
    pub(super) results: Vec<SetResult>,
    /// The init script ran to its end.
    pub(crate) has_ended: bool,
    /// Lines of the console.
    pub(crate) lines: Vec<String>,
}

/// The scenario runner's line about a set of hooks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetResult {
    pub(super) set: String,
    /// The kernel had to refuse it
    pub(super) is_refused: bool,
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) seconds: f64,
}

impl Booted {
    pub(super) fn result(&self, set: &str) -> Option<&SetResult> {
        self.results.iter().find(|result| result.set == set)
    }

    /// The scenario runner's lines about failed scenarios.
    pub(super) fn failures(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str).filter(|line| is_failure(line))
    }

    fn read(&mut self, line: &str) {
        self.results.extend(parse(line));
        self.has_begun |= line.contains(BEGIN);
        self.has_ended |= line.starts_with(END);
    }
}

/// Boots and prints the console; each line starts with the kernel's version and architecture.
pub(crate) fn boot(architecture: &Architecture, kernel: Kernel, image: &Path, initramfs: &Path) -> Result<Booted> {
    let name = format!("{} {}", kernel.name, architecture.name);
    for _ in 1..ATTEMPTS {
        let booted = boot_once(architecture, &name, image, initramfs)?;
        if booted.has_begun {
            return Ok(booted);
        }
        println!("{name} | the kernel did not reach the init script; booting again");
    }
    boot_once(architecture, &name, image, initramfs)
}

fn boot_once(architecture: &Architecture, name: &str, image: &Path, initramfs: &Path) -> Result<Booted> {
    println!("\nbooting Linux {name}");
    let mut qemu = Qemu::start(architecture, image, initramfs)?;
    let stdout = qemu.0.stdout.take().context("QEMU has no output")?;
    let (sender, lines) = channel();
    thread::spawn(move || send_lines(stdout, &sender));
    let end = Instant::now() + architecture.time_limit;
    let mut booted = Booted { kernel: name.to_owned(), ..Booted::default() };
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("{name} | {line}");
                booted.read(&line);
                booted.lines.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(booted),
            Err(RecvTimeoutError::Timeout) => {
                println!("{name} | not finished after {} s", architecture.time_limit.as_secs());
                return Ok(booted);
            }
        }
    }
}

/// Kills QEMU when dropped.
struct Qemu(Child);

impl Qemu {
    fn start(architecture: &Architecture, image: &Path, initramfs: &Path) -> Result<Self> {
        // Emulation, because KVM is absent or hangs in the virtual machines of CI.
        let child = Command::new(architecture.qemu)
            .args(architecture.machine)
            .args(["-accel", "tcg", "-m", "512", "-smp", "2"])
            .args(["-nographic", "-no-reboot", "-nic", "none"])
            .arg("-kernel")
            .arg(image)
            .arg("-initrd")
            .arg(initramfs)
            .arg("-append")
            .arg(format!("console={} quiet panic=-1", architecture.console))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", architecture.qemu))?;
        Ok(Self(child))
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // Fails only if the process has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn send_lines(from: impl Read, to: &Sender<String>) {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        if to.send(printable(&line)).is_err() {
            return;
        }
    }
}

/// The line without control characters and escape sequences, which the firmware prints.
fn printable(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default();
    // An escape sequence ends with its first letter.
    let after_sequence =
        |part: &str| part.split_once(|c: char| c.is_ascii_alphabetic()).map(|(_, rest)| rest.to_owned());
    let rest: String = parts.filter_map(after_sequence).collect();
    first.chars().chain(rest.chars()).filter(|c| !c.is_control()).collect()
}

/// Parses a line such as `hooks sockops,fentry: 26 passed; 0 failed; 7.5 s`.
fn parse(line: &str) -> Option<SetResult> {
    let (set, rest) = line.strip_prefix("hooks ")?.split_once(": ")?;
    let unmarked = set.strip_prefix(REFUSED);
    let mut parts = rest.split("; ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    let seconds = parts.next()?.strip_suffix(" s")?.parse().ok()?;
    Some(SetResult { set: unmarked.unwrap_or(set).to_owned(), is_refused: unmarked.is_some(), passed, failed, seconds })
}

/// Whether the line is one such as `sockops,fentry: FAILED refused: expected 1, found 2`.
fn is_failure(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(_, rest)| rest.starts_with("FAILED "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_parsed_and_others_ignored() {
        let mut expected =
            SetResult { set: "sockops,fentry".into(), is_refused: false, passed: 26, failed: 1, seconds: 7.5 };
        assert_eq!(parse("hooks sockops,fentry: 26 passed; 1 failed; 7.5 s").as_ref(), Some(&expected));
        expected.is_refused = true;
        assert_eq!(parse("hooks !sockops,fentry: 26 passed; 1 failed; 7.5 s"), Some(expected));
        for other in ["hooks sockops,fentry", "fentry: FAILED refused: x", "hooks a: b", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn failures_are_found_in_the_console() {
        let lines =
            ["fentry: refused ... ok", "fentry: FAILED refused: opened 1, not 2", "test result: FAILED. 1 passed"];
        let booted = Booted { lines: lines.map(String::from).to_vec(), ..Booted::default() };
        assert_eq!(booted.failures().collect::<Vec<_>>(), [lines[1]]);
    }

    #[test]
    fn end_of_the_script_is_recognised() {
        let mut booted = Booted { kernel: "6.1".into(), ..Booted::default() };
        booted.read("hooks fentry: 26 passed; 0 failed; 7.5 s");
        assert!(!booted.has_ended);
        booted.read(&format!("{END}0"));
        assert!(booted.has_ended);
        assert!(booted.result("fentry").is_some());
        assert!(booted.result("kprobe").is_none());
    }

    #[test]
    fn control_characters_are_removed() {
        assert_eq!(printable(b"hooks fentry\r"), "hooks fentry");
        assert_eq!(printable(b"\x1b[2J\x1b[?7lLinux 5.10\r"), "Linux 5.10");
    }
}
