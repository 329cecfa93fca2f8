//! `cargo xtask screenshot`: draws the pictures in the README from real watches of real programs: the dashboard, and a
//! terminal session with a command.

mod cgroup;
mod session;
mod svg;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use terminal::{Size, Terminal};

use crate::support::running::Running;
use crate::support::workspace::{Workspace, is_root, run as run_command};
use cgroup::Cgroup;

const SIZE: Size = Size { columns: 110, rows: 34 };
const DASHBOARD: &str = "docs/dashboard.svg";
const SESSION: &str = "docs/command.svg";
const PORT: u16 = 8080;

/// Time limit for the tool to start, and for the ten requests.
const STORY: Duration = Duration::from_secs(30);

/// Time until the dashboard shows the sockets in TIME_WAIT, which it reads every other second.
const SETTLE: Duration = Duration::from_secs(3);

/// Redraw docs/dashboard.svg and docs/command.svg, the pictures in the README, from real watches
///
/// The pictures show a Go program that fetches a page ten times and closes each response with its body unread, or read.
/// Needs root; takes twenty seconds.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    ensure!(is_root(), "the tool loads BPF programs into the kernel: run this as root");
    let workspace = Workspace::find()?;
    run_command(workspace.cargo().args(["build", "--release", "--locked", "--package", "tcp-reuse-watch"]))?;
    let programs = Programs::build(&workspace)?;
    enter_new_network_namespace()?;

    let mut server = Command::new(programs.path("server"));
    let mut server = start(server.args(["-address", &format!("127.0.0.1:{PORT}"), "-body", "1048576"]))?;
    wait_for_a_line(&mut server)?;
    let tool = workspace.target.join("release/tcp-reuse-watch");
    let pictures = [(DASHBOARD, dashboard(&tool, &programs)?), (SESSION, session::draw(&tool, &programs.folder)?)];
    for (name, picture) in pictures {
        fs::write(workspace.root.join(name), picture).with_context(|| format!("cannot write {name}"))?;
        println!("wrote {name}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The dashboard beside the client that leaves bodies unread.
fn dashboard(tool: &Path, programs: &Programs) -> Result<String> {
    let terminal = Terminal::open(SIZE)?;
    let mut watch = Command::new(tool);
    terminal.attach(watch.args(["--port", &PORT.to_string()]))?;
    let _watch = Running::start(&mut watch)?;
    terminal.wait(STORY, |screen| screen.alternate_screen() && screen.contents().contains(&PORT.to_string()))?;
    let fetch = ["-url", &format!("http://127.0.0.1:{PORT}"), "-times", "10", "-pause", "600ms"];
    let cgroup = Cgroup::new("client.service")?;
    let _client = start(cgroup.command(&programs.path("client")).args(fetch))?;
    terminal.wait(STORY, |screen| screen.contents().contains("10 of 10 closed"))?;
    std::thread::sleep(SETTLE);
    Ok(terminal.look(svg::draw))
}

/// In a new namespace the port is free and no connection is open.
fn enter_new_network_namespace() -> Result<()> {
    // SAFETY: the call is unsafe because threads may rely on a shared table of file descriptors; NEWNET leaves it
    // shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.context("cannot make a network namespace")?;
    run_command(Command::new("ip").args(["link", "set", "lo", "up"]))
}

/// The Go programs of the end-to-end tests, under the names that the picture shows.
struct Programs {
    folder: PathBuf,
}

impl Programs {
    fn build(workspace: &Workspace) -> Result<Self> {
        let sources = workspace.root.join("observer/tests/end_to_end/programs");
        let folder = workspace.target.join("screenshot");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for name in ["server", "client"] {
            let mut go = Command::new("go");
            go.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").env_remove("GOFLAGS");
            run_command(go.args(["build", "-o"]).args([folder.join(name), sources.join(name).with_extension("go")]))?;
        }
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Starts a program away from the terminal. Its standard input stays open.
fn start(command: &mut Command) -> Result<Running> {
    Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))
}

fn wait_for_a_line(server: &mut Running) -> Result<()> {
    let output = server.child().stdout.as_mut().context("the output of the server is not a pipe")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).context("cannot read the output of the server")?;
    ensure!(!line.is_empty(), "the server cannot listen on port {PORT}");
    Ok(())
}
