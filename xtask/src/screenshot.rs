//! `cargo xtask screenshot`: the picture of the dashboard in the README, drawn from a real watch of real programs.

mod cgroup;
mod svg;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use terminal::{Size, Terminal};

use crate::support::workspace::{Workspace, is_root, run as run_command};
use cgroup::Cgroup;

const SIZE: Size = Size { columns: 110, rows: 34 };
const PICTURE: &str = "docs/dashboard.svg";
const PORT: u16 = 8080;

/// Ten requests, and a program that starts.
const STORY: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_secs(3);

/// Draw docs/dashboard.svg from a real watch (as root; takes ten seconds)
///
/// It shows the story: a Go program fetches a page ten times, and closes each response with its body unread.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    ensure!(is_root(), "a watch loads programs into the kernel: run this as root");
    let workspace = Workspace::find()?;
    run_command(workspace.cargo().args(["build", "--release", "--locked", "--package", "tcp-reuse-watch"]))?;
    let programs = Programs::build(&workspace)?;
    enter_a_network_of_its_own()?;

    let mut server = Command::new(programs.path("server"));
    let mut server = Running::start(server.args(["-address", &format!("127.0.0.1:{PORT}"), "-body", "1048576"]))?;
    server.wait_for_a_line()?;
    let terminal = Terminal::open(SIZE)?;
    let mut watch = Command::new(workspace.target.join("release/tcp-reuse-watch"));
    terminal.attach(watch.args(["--port", &PORT.to_string()]))?;
    let _watch = Running::spawn(&mut watch)?;
    terminal.wait(STORY, |screen| screen.alternate_screen() && screen.contents().contains(&PORT.to_string()))?;

    let fetch = ["-url", &format!("http://127.0.0.1:{PORT}"), "-times", "10", "-pause", "600ms"];
    let cgroup = Cgroup::new("client.service")?;
    let _client = Running::start(cgroup.command(&programs.path("client")).args(fetch))?;
    // The diagnosis of all ten, and then what netstat shows, every other second.
    terminal.wait(STORY, |screen| screen.contents().contains("10 of 10 closed"))?;
    std::thread::sleep(REST);
    let picture = workspace.root.join(PICTURE);
    fs::write(&picture, terminal.look(svg::draw)).with_context(|| format!("cannot write {PICTURE}"))?;
    println!("wrote {PICTURE}");
    Ok(ExitCode::SUCCESS)
}

/// Nobody else has the port there, and no connection is open yet.
fn enter_a_network_of_its_own() -> Result<()> {
    // SAFETY: it is the table of file descriptors that threads may rely on to be shared, and that stays so.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.context("cannot make a network namespace")?;
    run_command(Command::new("ip").args(["link", "set", "lo", "up"]))
}

/// The programs of the tests' story, under the names that are to be seen.
struct Programs {
    folder: PathBuf,
}

impl Programs {
    fn build(workspace: &Workspace) -> Result<Self> {
        let sources = workspace.root.join("observer/tests/end_to_end/programs");
        let folder = workspace.target.join("screenshot");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
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

/// A process that does not outlive the picture.
struct Running(Child);

impl Running {
    /// Away from the terminal; its input stays open.
    fn start(command: &mut Command) -> Result<Self> {
        Self::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_owned();
        command.spawn().map(Self).with_context(|| format!("cannot run {}", name.display()))
    }

    fn wait_for_a_line(&mut self) -> Result<()> {
        let output = self.0.stdout.as_mut().context("its output is not kept")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).context("cannot be read")?;
        ensure!(!line.is_empty(), "the server does not listen on port {PORT}: what else does?");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
