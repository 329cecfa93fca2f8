//! The contestants: the tool, no watcher at all, and the alternatives to the tool.
//!
//! Of the TCP programs in libbpf-tools, tcplife and tcpstates use tracepoints and load on kernels without kprobes.
//! tcptop, tcpconnect, tcptracer and the others do not.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::bpf::{self, Program};
use crate::support::running::{Running, children_of, has_no_new_privileges};

/// Time for a contestant to finish its start.
const TO_SETTLE: Duration = Duration::from_millis(400);

/// Time for a contestant to process its last events.
const TO_DRAIN: Duration = Duration::from_millis(300);
const TO_END: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contestant {
    /// No watcher, measured like the others: shows the noise
    Nothing,
    /// The tool with a JSON row for each connection
    Json,
    /// The tool, which only counts in the kernel
    Quiet,
    /// The tool with its dashboard
    Dashboard,
    Tcplife,
    Tcpdump,
    Netstat,
    Ss,
}

impl Contestant {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing (off ÷ off)",
            Self::Json => "tcp-reuse-watch -o json",
            Self::Quiet => "tcp-reuse-watch -o none",
            Self::Dashboard => "tcp-reuse-watch -o tui",
            Self::Tcplife => "tcplife (libbpf-tools)",
            Self::Tcpdump => "tcpdump -w /dev/null",
            Self::Netstat => "netstat -atn and grep, every 200 ms",
            Self::Ss => "ss -tan, every 200 ms",
        }
    }

    /// The command line. `options` are extra options of the tool.
    fn command(self, tool: &Path, port: u16, summary: &Path, options: &[&str]) -> Option<Command> {
        let of_tool = |output: &str| {
            let mut command = Command::new(tool);
            command.args(["-p", &port.to_string(), "-o", output]).args(options);
            // A summary has diagnoses, which need a row for each connection.
            if self != Self::Quiet {
                command.arg("--summary").arg(summary);
            }
            command
        };
        let shell = |script: String| {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        };
        Some(match self {
            Self::Nothing => return None,
            Self::Json => of_tool("json"),
            Self::Quiet => of_tool("none"),
            Self::Dashboard => on_terminal(&of_tool("tui")),
            // tcplife needs tracefs, which Debian mounts. Elsewhere, mount it for this process alone.
            Self::Tcplife => {
                let mut command = Command::new("unshare");
                let script = format!(
                    "[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
                     exec tcplife -D {port}"
                );
                command.args(["--mount", "sh", "-c", &script]);
                command
            }
            Self::Tcpdump => {
                let mut command = Command::new("tcpdump");
                command.args(["-i", "lo", "-n", "-w", "/dev/null", "tcp", "port", &port.to_string()]);
                command
            }
            Self::Netstat => shell(format!("while :; do netstat -atn | grep :{port}; sleep 0.2; done")),
            Self::Ss => shell(format!("while :; do ss -Htan 'sport = :{port} or dport = :{port}'; sleep 0.2; done")),
        })
    }

    /// Starts the contestant, and returns once it watches.
    pub(super) fn start(self, tool: &Path, port: u16, options: &[&str]) -> Result<Started> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name);
        let running = self
            .command(tool, port, &file("summary"), options)
            .map(|mut command| -> Result<Running> {
                let (stdout, stderr) = (File::create(file("stdout"))?, File::create(file("stderr"))?);
                let mut running = Running::start(command.stdin(Stdio::null()).stdout(stdout).stderr(stderr))?;
                self.wait_until_it_watches(&mut running, &file("stderr"))
                    .with_context(|| fs::read_to_string(file("stderr")).unwrap_or_default())?;
                Ok(running)
            })
            .transpose()?;
        // All contestants sleep, so the pauses are the same.
        sleep(TO_SETTLE);
        Ok(Started { contestant: self, port, running, folder })
    }

    fn wait_until_it_watches(self, running: &mut Running, stderr: &Path) -> Result<()> {
        match self {
            Self::Nothing | Self::Netstat | Self::Ss => {}
            Self::Json | Self::Quiet => running.until("it is attached", has_no_new_privileges)?,
            Self::Dashboard => {
                running.until("it is attached", |pid| {
                    children_of(pid).first().is_some_and(|tool| has_no_new_privileges(*tool))
                })?;
            }
            Self::Tcplife => {
                running.until("it has loaded its programs", |pid| !bpf::programs_of(pid).is_empty())?;
            }
            Self::Tcpdump => running
                .until("it listens", |_| fs::read_to_string(stderr).is_ok_and(|text| text.contains("listening on")))?,
        }
        Ok(())
    }
}

/// Runs a command on a pseudo-terminal of a common size.
fn on_terminal(command: &Command) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--flush", "--command", &format!("stty cols 160 rows 48; exec {}", words.join(" "))]);
    script.arg("/dev/null").env("TERM", "xterm-256color");
    script
}

/// A running contestant.
pub(super) struct Started {
    contestant: Contestant,
    port: u16,
    running: Option<Running>,
    folder: TempDir,
}

/// The counts that a contestant reports. None: not reported.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) connections: Option<u64>,
    pub(super) exchanges: Option<u64>,
    /// Lost rows, events or packets
    pub(super) lost: Option<u64>,
}

/// Waits until contestants have processed their last events.
pub(super) fn let_drain() {
    sleep(TO_DRAIN);
}

impl Started {
    /// Process id of the watcher.
    pub(super) fn pid(&self) -> Option<u32> {
        let pid = self.running.as_ref()?.id();
        if self.contestant == Contestant::Dashboard { children_of(pid).first().copied() } else { Some(pid) }
    }

    /// Its BPF programs.
    pub(super) fn programs(&self) -> Vec<Program> {
        self.pid().map(bpf::programs_of).unwrap_or_default()
    }

    /// Its CPU time so far.
    pub(super) fn cpu(&self) -> Duration {
        self.pid().map(crate::support::running::cpu_of).unwrap_or_default()
    }

    /// Ends the contestant and reads its counts.
    pub(super) fn stop(mut self) -> Result<Seen> {
        let pid = self.pid();
        let Some(mut running) = self.running.take() else { return Ok(Seen::default()) };
        match self.contestant {
            // SIGKILL, because a shell delays SIGINT until its child has ended.
            Contestant::Netstat | Contestant::Ss => drop(running),
            Contestant::Dashboard => {
                let tool = pid.and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
                rustix::process::kill_process(tool.context("the dashboard ended early")?, Signal::INT)?;
                running.wait(TO_END)?;
            }
            _ => {
                let status = running.interrupt()?;
                if !status.success() && self.contestant != Contestant::Tcplife {
                    bail!("{} failed: {status}: {}", self.contestant.name(), self.text_of("stderr"));
                }
            }
        }
        Ok(self.seen())
    }

    fn seen(&self) -> Seen {
        match self.contestant {
            Contestant::Nothing | Contestant::Quiet => Seen::default(),
            Contestant::Json | Contestant::Dashboard => of_summary(&self.text_of("summary")),
            Contestant::Tcplife => {
                // The first line is a heading. On loopback, -D selects the client's end only.
                let rows = self.text_of("stdout").lines().filter(|line| !line.starts_with("PID")).count();
                Seen {
                    connections: Some(rows as u64),
                    lost: Some(lost_events(&self.text_of("stderr"))),
                    ..Seen::default()
                }
            }
            Contestant::Tcpdump => {
                let text = self.text_of("stderr");
                let number = |what: &str| text.lines().find_map(|line| line.strip_suffix(what)?.trim().parse().ok());
                Seen { lost: number("packets dropped by kernel"), ..Seen::default() }
            }
            Contestant::Netstat | Contestant::Ss => distinct(&self.text_of("stdout"), self.port, 3),
        }
    }

    fn text_of(&self, name: &str) -> String {
        fs::read(self.path(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn of_summary(text: &str) -> Seen {
    let summary: Value = serde_json::from_str(text).unwrap_or_default();
    let total = |name: &str| summary["totals"][name].as_u64();
    Seen { connections: total("opened"), exchanges: total("exchanges"), lost: total("events_lost") }
}

/// Adds up lines such as `Lost 123 events on CPU #1!`.
fn lost_events(stderr: &str) -> u64 {
    let lost = stderr
        .lines()
        .filter_map(|line| line.to_ascii_lowercase().strip_prefix("lost ")?.split(' ').next()?.parse::<u64>().ok());
    lost.sum()
}

/// Counts connections with at least one end that was listed at least once. `local` is the column of local addresses;
/// the next column has the remote ones.
fn distinct(text: &str, port: u16, local: usize) -> Seen {
    let ending = format!(":{port}");
    let ends = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (here, there) = (*fields.get(local)?, *fields.get(local + 1)?);
        // The client's end comes first.
        if there.ends_with(&ending) { Some((here, there)) } else { here.ends_with(&ending).then_some((there, here)) }
    });
    let ends: HashSet<(&str, &str)> = ends.filter(|(client, _)| !client.ends_with(":*")).collect();
    Seen { connections: Some(ends.len() as u64), ..Seen::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_is_counted_once_from_either_end() {
        let netstat = "tcp 0 0 127.0.0.1:80 0.0.0.0:* LISTEN\n\
             tcp 0 0 127.0.0.1:80 127.0.0.1:5000 TIME_WAIT\n\
             tcp 0 0 127.0.0.1:5000 127.0.0.1:80 ESTABLISHED\n\
             tcp 0 0 127.0.0.1:5001 127.0.0.1:80 ESTABLISHED\n";
        assert_eq!(distinct(netstat, 80, 3).connections, Some(2));
    }

    #[test]
    fn summary_of_the_tool_is_parsed() {
        let seen = of_summary(r#"{"totals":{"opened":3,"exchanges":9,"events_lost":1}}"#);
        assert_eq!((seen.connections, seen.exchanges, seen.lost), (Some(3), Some(9), Some(1)));
        assert_eq!(of_summary("").connections, None);
    }

    #[test]
    fn lost_events_are_added_up() {
        assert_eq!(lost_events("Lost 12 events on CPU #1!\nlost 3 events on CPU #0!\n"), 15);
    }
}
