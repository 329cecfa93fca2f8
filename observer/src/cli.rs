//! The command line. Values are validated here as far as possible without the kernel, so a wrong one ends in clap's
//! usage error (exit code 2) before anything is opened or attached.

mod command;
mod compare;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod gates;
mod metrics;
mod output;
mod parse;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};
use ipnet::IpNet;

use crate::kernel;
pub(crate) use command::RunCommand;
pub(crate) use compare::{Compare, CompareOutput};
pub(crate) use gates::{Gates, Report, ReportFormat};
pub(crate) use metrics::{Metrics, MetricsPlace};
pub(crate) use output::Output;
pub(crate) use parse::Speed;
use parse::{duration, network, process_name, ring_size, running_process, speed};

/// Count how many requests use a new TCP connection and how many reuse one
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) watch: Watch,
}

const AFTER_HELP: &str = "\
A connection must match one value of every filter that is given (--port, --dest, --pid, --process).
Ctrl-C, SIGTERM, SIGHUP and --duration end the watch with a summary. With a command they end the command, and the watch after it.

Exit codes: 0 success, 1 run-time failure, 2 usage error, 3 a gate failed, 4 not permitted or not supported by this kernel.
With a command, its own exit code if that is not 0.";

impl Cli {
    /// Parses the command line. Exits with a usage error if it is invalid.
    pub(crate) fn parse_or_exit() -> Self {
        let cli = Self::parse();
        if let Err(message) = cli.check() {
            Self::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        cli
    }

    fn check(&self) -> Result<(), String> {
        let checked = match &self.command {
            Some(Command::Replay(replay)) => replay.check(),
            _ => self.watch.check(),
        };
        checked.and_then(|()| self.watch.metrics.check())
    }
}

impl Watch {
    /// Checks the options against each other.
    fn check(&self) -> Result<(), String> {
        if self.hooks.contains(&Hooks::Auto) && self.hooks.len() > 1 {
            return Err("--hooks takes either auto or a list of the others".into());
        }
        let has_rows = !matches!(self.output, Some(Output::Tui | Output::Summary | Output::None));
        if self.exchanges && !has_rows && self.record.is_none() {
            return Err("--exchanges needs an output with rows: use -o lines, -o json or --record".into());
        }
        if !self.run.argv.is_empty() {
            if self.output == Some(Output::Tui) {
                return Err("-o tui needs the terminal, which the command has: use -o lines or -o summary".into());
            }
            if !self.pids.is_empty() {
                return Err("--pid and a command exclude each other: only the command is watched".into());
            }
        }
        if self.output_file.is_some() && matches!(self.output(), Output::Tui | Output::None) {
            return Err("--output-file needs an output with text: use -o lines, -o json or -o summary".into());
        }
        Output::check(self.output)?;
        let files = [("--record", &self.record), ("--summary", &self.summary), ("--output-file", &self.output_file)];
        let files = files.into_iter().filter_map(|(option, file)| Some((option, file.as_deref()?)));
        check_files(files.chain(self.gates.files()))
    }
}

impl Watch {
    pub(crate) fn output(&self) -> Output {
        Output::resolve(self.output, self.exchanges, !self.run.argv.is_empty())
    }
}

impl Replay {
    pub(crate) fn output(&self) -> Output {
        Output::resolve(self.output, false, false)
    }

    fn check(&self) -> Result<(), String> {
        let summary = self.summary.as_deref().map(|file| ("--summary", file));
        let files = || summary.into_iter().chain(self.gates.files());
        if let Some((option, _)) = files().find(|(_, file)| *file == self.file) {
            return Err(format!("{option} would overwrite the recording"));
        }
        check_files(files())?;
        Output::check(self.output)
    }
}

/// Rejects one file for two purposes.
fn check_files<'a>(files: impl Iterator<Item = (&'static str, &'a Path)>) -> Result<(), String> {
    let mut seen = HashMap::new();
    for (option, file) in files {
        if let Some(other) = seen.insert(file, option) {
            return Err(format!("{other} and {option} cannot write to one file"));
        }
    }
    Ok(())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch a client on loopback that leaves response bodies unread, and then reads them (ten seconds)
    Demo,

    /// Check what this kernel and these privileges allow, and suggest remedies
    Doctor(Doctor),

    /// Replay a watch recorded with --record (needs no privileges)
    Replay(Replay),

    /// Compare two recordings or summaries, from before and after a change (needs no privileges)
    Compare(Compare),
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Recording to replay, written by --record
    pub(crate) file: PathBuf,

    /// Output format [default: tui on a terminal, else lines]
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,

    /// Write the JSON summary object to this file at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) gates: Gates,

    /// Replay N times as fast as recorded: a number above zero, or max for no pauses
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    pub(crate) speed: Speed,

    /// Write diagnostics to stderr
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Append diagnostics to this file instead of stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = DoctorOutput::Lines)]
    pub(crate) output: DoctorOutput,

    /// Read the kernel's type information (BTF) from this file [default: /sys/kernel/btf/vmlinux]
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorOutput {
    /// One line for each check, and a verdict at the end
    Lines,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Watch these remote ports: numbers and ranges, separated by commas; repeatable [default: every port]
    #[arg(short, long = "port", value_name = "PORT[-PORT]", value_delimiter = ',')]
    pub(crate) ports: Vec<Ports>,

    /// Watch only connections to this network or address; repeatable
    #[arg(long = "dest", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub(crate) destinations: Vec<IpNet>,

    /// Watch only connections of this process, not of its children; repeatable
    #[arg(long = "pid", value_name = "PID", value_delimiter = ',', value_parser = running_process)]
    pub(crate) pids: Vec<u32>,

    /// With --pid: watch all its descendants too, those that it has and those to come
    #[arg(long, requires = "pids")]
    pub(crate) children: bool,

    /// Watch only connections of processes with this name (compared up to 15 bytes); repeatable
    #[arg(long = "process", value_name = "NAME", value_parser = process_name)]
    pub(crate) processes: Vec<String>,

    /// Output format [default: tui on a terminal, else lines; summary with a command]
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,

    /// Write the output to this file instead of standard output (standard error with a command)
    #[arg(long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,

    /// Add a row for each exchange (with -o lines, -o json and --record)
    #[arg(long)]
    pub(crate) exchanges: bool,

    /// Write the JSON summary object to this file at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,

    /// Record the watch to this file, for the replay command
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) gates: Gates,

    #[command(flatten)]
    pub(crate) run: RunCommand,

    #[command(flatten)]
    pub(crate) metrics: Metrics,

    /// End the watch after this time: seconds, or a value such as 90s, 5m or '1h 30m'
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,

    /// Attach these kernel hooks: auto, or a list separated by commas
    #[arg(long, value_enum, value_name = "HOOKS", value_delimiter = ',', default_value = "auto")]
    pub(crate) hooks: Vec<Hooks>,

    /// Read the kernel's type information (BTF) from this file [default: /sys/kernel/btf/vmlinux]
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,

    /// Track up to N connections at the same time; the default takes 44 MB of kernel memory
    #[arg(long, value_name = "N", default_value_t = kernel::MAX_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub(crate) max_connections: u32,

    /// Size of the ring buffer that carries rows from the kernel: a power of two, at least 4096
    #[arg(long, value_name = "BYTES", default_value_t = kernel::RING_BYTES, value_parser = ring_size)]
    pub(crate) ring_size: u32,

    /// Write diagnostics to stderr
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Append diagnostics to this file instead of stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hooks {
    /// sockops if possible, plus the first of the others that loads
    Auto,
    /// sock_ops at the root of cgroup v2; never misses an open or close
    Sockops,
    /// fentry on the kernel functions that connect, close and send
    Fentry,
    /// kprobes on the same functions
    Kprobe,
    /// Tracepoint in sends (Linux 6.16 and later)
    Tracepoint,
}

/// An inclusive range of ports, without port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!("'{text}' is not a port: use a number from 1 to 65535, or a range such as 8000-8099")),
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (port(first)?, port(last)?),
            None => (port(text)?, port(text)?),
        };
        if first > last {
            return Err(format!("the range is reversed: use {last}-{first}"));
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_accepts_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn ports_are_lists_of_numbers_and_ranges() {
        let cli = Cli::try_parse_from(["x", "-p", "8080,9000-9010", "--port", "443"]).unwrap();
        let ports: Vec<String> = cli.watch.ports.iter().map(ToString::to_string).collect();
        assert_eq!(ports, ["8080", "9000-9010", "443"]);
        for wrong in ["70000", "0", "", "x", "9-8", "1-", "-1", "1-2-3", "80,"] {
            assert!(Cli::try_parse_from(["x", &format!("--port={wrong}")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn errors_name_the_value_and_the_accepted_ones() {
        for (argument, value, accepted) in [
            ("--port", "70000", "1 to 65535"),
            ("--port", "90-80", "80-90"),
            ("--dest", "10.0.0.0/33", "CIDR"),
            ("--pid", "4194999", "no such process"),
            ("--duration", "soon", "90s"),
            ("--ring-size", "5000", "power of two"),
        ] {
            let error = Cli::try_parse_from(["x", argument, value]).unwrap_err().to_string();
            assert!(error.contains(value) && error.contains(accepted), "{error}");
        }
    }

    #[test]
    fn contradictory_options_are_rejected() {
        let check = |arguments: &[&str]| Cli::try_parse_from(arguments).unwrap().watch.check();
        assert!(check(&["x", "--hooks", "auto,sockops"]).is_err());
        assert!(check(&["x", "--exchanges", "-o", "none"]).is_err());
        assert!(check(&["x", "--exchanges", "--hooks", "sockops,tracepoint"]).is_ok());
        assert!(check(&["x", "--exchanges", "-o", "none", "--record", "a"]).is_ok());
        assert!(check(&["x", "--exchanges", "-o", "tui"]).is_err());
        assert!(check(&["x", "--summary", "a", "--record", "a"]).is_err());
        assert!(check(&["x", "--summary", "a", "--report", "junit=a"]).is_err());
        assert!(check(&["x", "--report", "markdown=a", "--report", "junit=a"]).is_err());
        assert!(check(&["x", "--report", "markdown=a", "--report", "junit=b", "--summary", "c"]).is_ok());
    }
}
