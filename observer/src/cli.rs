//! The command line: types only. Whatever can be judged without the kernel is judged here, so that a wrong value gets
//! clap's usage error (exit code 2) before anything is opened or attached.

mod metrics;

use std::{fmt, fs, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};
use ipnet::IpNet;

use crate::{kernel, output::terminal};
pub(crate) use metrics::Metrics;

/// Shows how many requests went out on a new TCP connection and how many on a reused one
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) watch: Watch,
}

const AFTER_HELP: &str = "\
Values of one option are alternatives; different options all apply.
Ctrl-C, SIGTERM, SIGHUP and --duration end the watch with its summary.

Exit codes: 0 fine, 1 a failure at run time, 2 usage, 4 not permitted or not supported by this kernel.";

impl Cli {
    /// The command line of this process; ends it with a usage error if it makes no sense.
    pub(crate) fn read() -> Self {
        let cli = Self::parse();
        let checked = match &cli.command {
            Some(Command::Replay(replay)) => replay.check(),
            _ => cli.watch.check(),
        };
        let checked = checked.and_then(|()| cli.watch.metrics.check());
        if let Err(message) = checked {
            Self::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        cli
    }
}

impl Watch {
    /// What no single option can tell.
    fn check(&self) -> Result<(), String> {
        if self.hooks.contains(&Hooks::Auto) && self.hooks.len() > 1 {
            return Err("--hooks is either auto or a list of the others".into());
        }
        let has_rows = !matches!(self.output, Some(Output::Tui | Output::None));
        if self.exchanges && !has_rows && self.record.is_none() {
            return Err("--exchanges needs an output that has rows: -o lines, -o json or --record".into());
        }
        check_output(self.output)?;
        if self.record.is_some() && self.record == self.summary {
            return Err("--record and --summary cannot go to one file".into());
        }
        Ok(())
    }
}

/// A dashboard needs a terminal to be on.
fn check_output(output: Option<Output>) -> Result<(), String> {
    match terminal::obstacle() {
        Some(obstacle) if output == Some(Output::Tui) => {
            Err(format!("-o tui needs a terminal: {obstacle}; take -o lines or -o json"))
        }
        _ => Ok(()),
    }
}

/// What was asked for, or else what standard output can show.
fn resolve(output: Option<Output>, exchanges: bool) -> Output {
    let has_room = !exchanges && terminal::obstacle().is_none();
    output.unwrap_or(if has_room { Output::Tui } else { Output::Lines })
}

impl Watch {
    pub(crate) fn output(&self) -> Output {
        resolve(self.output, self.exchanges)
    }
}

impl Replay {
    pub(crate) fn output(&self) -> Output {
        resolve(self.output, false)
    }

    fn check(&self) -> Result<(), String> {
        if self.summary.as_ref() == Some(&self.file) {
            return Err("--summary would overwrite the recording".into());
        }
        check_output(self.output)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Act out both sides of the story on loopback (a body left unread, a body read) and watch it, in ten seconds
    Demo,

    /// Tell what this kernel and these privileges allow, line by line, and what to do
    Doctor(Doctor),

    /// Show a watch that was recorded with --record, as it was; needs no privileges
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// What --record wrote
    pub(crate) file: PathBuf,

    /// What to show: by default the dashboard on a terminal, else lines
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,

    /// Also write the JSON summary object to this file at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,

    /// How many times as fast as it was: a number above zero, or max
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    pub(crate) speed: Speed,

    /// Diagnostics on stderr
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Write the diagnostics of -v to this file instead
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Speed {
    Times(f64),
    /// Without any pause.
    Max,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// What to write to standard output
    #[arg(short, long, value_enum, default_value_t = DoctorOutput::Lines)]
    pub(crate) output: DoctorOutput,

    /// The kernel's type information, where it is not in /sys/kernel/btf/vmlinux
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorOutput {
    /// A line for each requirement, and a sentence at the end
    Lines,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Remote ports to watch: numbers and ranges, separated by commas; repeatable; every port without it
    #[arg(short, long = "port", value_name = "PORT[-PORT]", value_delimiter = ',')]
    pub(crate) ports: Vec<Ports>,

    /// Only connections to this network or address; repeatable
    #[arg(long = "dest", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub(crate) destinations: Vec<IpNet>,

    /// Only connections of this process (not of its children); repeatable
    #[arg(long = "pid", value_name = "PID", value_delimiter = ',', value_parser = running_process)]
    pub(crate) pids: Vec<u32>,

    /// Only connections of processes with this name (compared on its first 15 bytes); repeatable
    #[arg(long = "process", value_name = "NAME", value_parser = process_name)]
    pub(crate) processes: Vec<String>,

    /// What to show: by default the dashboard on a terminal, else lines
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,

    /// A row for each exchange too (lines and json)
    #[arg(long)]
    pub(crate) exchanges: bool,

    /// Also write the JSON summary object to this file at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,

    /// Write what is observed to this file, for replay
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) metrics: Metrics,

    /// End the watch after this time: 90s, 5m, or seconds
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,

    /// How to look into the kernel: auto, or a list
    #[arg(long, value_enum, value_name = "HOOKS", value_delimiter = ',', default_value = "auto")]
    pub(crate) hooks: Vec<Hooks>,

    /// The kernel's type information, where it is not in /sys/kernel/btf/vmlinux
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,

    /// Connections that can be tracked at the same time
    #[arg(long, value_name = "N", default_value_t = kernel::MAX_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub(crate) max_connections: u32,

    /// Room for rows between the kernel and here: a power of two from 4096 on
    #[arg(long, value_name = "BYTES", default_value_t = kernel::RING_BYTES, value_parser = ring_size)]
    pub(crate) ring_size: u32,

    /// Diagnostics on stderr
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Write the diagnostics of -v to this file instead
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A dashboard
    Tui,
    /// A line for each connection, and a table at the end
    Lines,
    /// A JSON object for each connection, and one at the end
    Json,
    /// Nothing
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hooks {
    /// The best that loads here
    Auto,
    /// The root of cgroup v2: exact for opening and closing
    Sockops,
    /// The functions that connect, close and send, by fentry
    Fentry,
    /// The same functions, by kprobe
    Kprobe,
    /// The tracepoint of sends, where there is one (Linux 6.16)
    Tracepoint,
}

/// A range of ports, both ends included, from 1 on.
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
            _ => Err(format!("'{text}' is no port: a number from 1 to 65535, or a range such as 8000-8099")),
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (port(first)?, port(last)?),
            None => (port(text)?, port(text)?),
        };
        if first > last {
            return Err(format!("the range is upside down: write {last}-{first}"));
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        "an address or a network in CIDR notation is accepted, such as 10.1.2.3, 10.0.0.0/8 or fd00::/8".into()
    })
}

fn running_process(text: &str) -> Result<u32, String> {
    let pid: u32 = text.parse().ok().filter(|pid| *pid > 0).ok_or("a process id is a number from 1 on")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| "there is no such process")?;
    // A thread has an entry in /proc as well, but connections belong to its process.
    match status.lines().find_map(|line| line.strip_prefix("Tgid:")).map(str::trim) {
        Some(tgid) if tgid != text => Err(format!("that is a thread of process {tgid}: give that")),
        _ => Ok(pid),
    }
}

fn process_name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a process's name has at least one character".into()) } else { Ok(text.into()) }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok()),
    };
    parsed
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "a time above zero is accepted, such as 90s, 5m, 1h 30m, or a number of seconds".into())
}

fn speed(text: &str) -> Result<Speed, String> {
    match text.parse::<f64>() {
        Ok(times) if times > 0.0 && times.is_finite() => Ok(Speed::Times(times)),
        Err(_) if text == "max" => Ok(Speed::Max),
        _ => Err("a number above zero is accepted, such as 10 or 0.5, or max".into()),
    }
}

fn ring_size(text: &str) -> Result<u32, String> {
    text.parse::<u32>()
        .ok()
        .filter(|size| size.is_power_of_two() && (4096..=1 << 30).contains(size))
        .ok_or_else(|| "a power of two from 4096 to 1073741824 is accepted".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
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
    fn errors_name_the_value_and_what_is_accepted() {
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
    fn options_that_contradict_each_other_are_refused() {
        let check = |arguments: &[&str]| Cli::try_parse_from(arguments).unwrap().watch.check();
        assert!(check(&["x", "--hooks", "auto,sockops"]).is_err());
        assert!(check(&["x", "--exchanges", "-o", "none"]).is_err());
        assert!(check(&["x", "--exchanges", "--hooks", "sockops,tracepoint"]).is_ok());
        assert!(check(&["x", "--exchanges", "-o", "none", "--record", "a"]).is_ok());
        assert!(check(&["x", "--exchanges", "-o", "tui"]).is_err());
        assert!(check(&["x", "--summary", "a", "--record", "a"]).is_err());
    }

    #[test]
    fn speeds_are_above_zero() {
        assert_eq!((speed("max"), speed("0.5")), (Ok(Speed::Max), Ok(Speed::Times(0.5))));
        for wrong in ["0", "-1", "inf", "nan", "fast", ""] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_seconds_or_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("0").is_err());
        assert!(duration("-5s").is_err());
    }

    #[test]
    fn an_address_is_a_network_of_one() {
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("fd00::/8").unwrap().to_string(), "fd00::/8");
    }
}
