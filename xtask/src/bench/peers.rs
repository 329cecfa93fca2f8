//! Comparison with the programs of libbpf-tools that this machine's kernel may not be able to load, on a kernel of
//! Debian's in a virtual machine. Counts are as valid there as anywhere, but times are those of an emulated processor.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Scope;
use super::report::{Section, Verdict};
use super::server;
use crate::support::packages;
use crate::support::statistics::Quartiles;
use crate::support::workspace::{Workspace, output};
use crate::vm::architecture::X86_64;
use crate::vm::programs::Programs;
use crate::vm::{self, boot, image, kernels, programs};

/// From the same Debian release as libbpf-tools.
const KERNEL: &str = "6.1";

/// Five rounds took 246 s on an idle machine, and the limit of a boot is 300 s.
const MAX_ROUNDS: usize = 4;

const PORT: u16 = 8080;
const STATUS: u16 = 8081;

const TOOL: &str = "tcp-reuse-watch";
const NOTHING: &str = "nothing";
const COLUMNS: usize = 8;
const WATCHERS: [&str; 5] = [NOTHING, TOOL, "tcpconnect", "tcptracer", "tcptop"];

/// Paths of the programs that run in the virtual machine.
const PROGRAMS: [&str; 5] =
    ["/usr/sbin/nginx", "/usr/bin/ab", "/usr/sbin/tcpconnect", "/usr/sbin/tcptracer", "/usr/sbin/tcptop"];

/// Users and groups that nginx looks up at its start.
const PASSWD: &str = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\nnobody:x:65534:\n";

/// An answer of the script: one line.
#[derive(Clone, Debug, Default, PartialEq)]
struct Answer {
    name: String,
    /// Reason why the watcher did not start
    refused: Option<String>,
    numbers: HashMap<String, f64>,
}

pub(super) fn measure(scope: Scope) -> Result<Section> {
    let missing = packages::missing(packages::FOR_VM)?;
    if !missing.is_empty() {
        packages::install(&missing)?;
    }
    let (rounds, requests) = (scope.rounds.min(MAX_ROUNDS), scope.of(3_000, 500));
    let answers = answers(rounds, requests)?;
    let mut section = Section::default();
    section.paragraph(&format!(
        "Debian's Linux {KERNEL} in QEMU, where kprobes and fentry are available; {requests} requests by ab, one \
         connection each, 8 at a time; {rounds} rounds. The processor is emulated: times compare with each other and \
         with nothing else. BPF µs: all programs together, including the cost of measuring them. User µs: the watcher \
         in user space and in system calls. Each is per connection; both is their sum. tcptop lists the talkers of \
         each second and does not count connections."
    ));
    let head: [_; COLUMNS] =
        ["watcher", "connections", "exchanges", "BPF runs per connection", "BPF µs", "user µs", "both", "rate kept"];
    let mut rows: Vec<Vec<String>> = vec![head.map(Into::into).into()];
    rows.extend(WATCHERS.iter().map(|name| row(name, &answers)));
    section.table(&rows);
    let inexact: Vec<String> =
        answers.iter().filter(|of| of.name == TOOL && !of.is_exact()).map(|of| format!("{of:?}")).collect();
    section.verdict(Verdict::new(
        format!("counted ÷ true connections and exchanges, on Linux {KERNEL} with fentry: 1.0000"),
        if inexact.is_empty() { "1.0000 in all rounds".into() } else { inexact.join("; ") },
        inexact.is_empty(),
    ));
    Ok(section)
}

/// Boots the kernel and runs the script.
fn answers(rounds: usize, requests: u32) -> Result<Vec<Answer>> {
    let workspace = Workspace::find()?;
    let folder = vm::folder(&workspace, &X86_64);
    let kernel = kernels::find(KERNEL).map_err(anyhow::Error::msg)?;
    let vmlinuz = kernel.fetch(&folder, &X86_64)?;
    let image_folder = folder.join("peers");
    fs::create_dir_all(&image_folder)?;
    let commands =
        format!("ROUNDS={rounds} REQUESTS={requests} PORT={PORT} STATUS={STATUS}\n{}", include_str!("peers/rounds.sh"));
    let initramfs = image::make(&image_folder, &files(&workspace, &image_folder)?, &commands)?;
    let booted = boot::boot(&X86_64, kernel, &vmlinuz, &initramfs)?;
    ensure!(booted.has_ended, "Linux {KERNEL}: the rounds did not run to their end");
    let answers: Vec<Answer> = booted.lines.iter().filter_map(|line| parse(line)).collect();
    ensure!(answers.len() == rounds * WATCHERS.len(), "{} answers of {}", answers.len(), rounds * WATCHERS.len());
    Ok(answers)
}

/// The files of the virtual machine: source, and path in the image.
fn files(workspace: &Workspace, folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let written = [
        ("nginx.conf", "srv/nginx.conf", server::configuration(&[Ipv4Addr::LOCALHOST], PORT, STATUS)),
        ("passwd", "etc/passwd", PASSWD.into()),
        ("group", "etc/group", GROUP.into()),
    ];
    let Programs { tool, busybox, .. } = programs::build(workspace, &X86_64, folder)?;
    let mut files = vec![(tool, PathBuf::from("bin").join(TOOL)), (busybox, "bin/busybox".into())];
    for (name, place, text) in written {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        files.push((path, place.into()));
    }
    for program in PROGRAMS.map(PathBuf::from) {
        let name = program.file_name().with_context(|| format!("{} has no name", program.display()))?;
        let place = Path::new("bin").join(name);
        for library in libraries(&output(Command::new("ldd").arg(&program))?) {
            let place = library.strip_prefix("/").unwrap_or(&library).to_owned();
            files.push((library, place));
        }
        files.push((program, place));
    }
    Ok(files)
}

/// Parses the output of `ldd`: lines `name => /path (address)`, and the path of the loader.
fn libraries(listing: &str) -> Vec<PathBuf> {
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    listing.lines().filter_map(path).collect()
}

/// Parses a line such as `peer name=tcptop connections=500 seen_exchanges=- ...`.
fn parse(line: &str) -> Option<Answer> {
    let mut answer = Answer::default();
    for (key, value) in line.strip_prefix("peer ")?.split_whitespace().filter_map(|field| field.split_once('=')) {
        match key {
            "name" => answer.name = value.into(),
            // The script replaces spaces and other separators by underscores.
            "refused" => answer.refused = Some(value.replace('_', " ").trim().into()),
            _ => {
                if let Ok(number) = value.parse() {
                    answer.numbers.insert(key.into(), number);
                }
            }
        }
    }
    Some(answer)
}

impl Answer {
    fn number(&self, key: &str) -> Option<f64> {
        self.numbers.get(key).copied()
    }

    fn share(&self, seen: &str, of: &str) -> Option<f64> {
        Some(self.number(seen)? / self.number(of)?)
    }

    fn is_exact(&self) -> bool {
        let share = |seen, of| self.share(seen, of) == Some(1.0);
        share("seen_connections", "connections") && share("seen_exchanges", "requests")
    }
}

fn row(name: &str, answers: &[Answer]) -> Vec<String> {
    let of = |name: &'static str| answers.iter().filter(move |answer| answer.name == name);
    let own: Vec<&Answer> = answers.iter().filter(|answer| answer.name == name).collect();
    if let Some(refused) = own.iter().find_map(|answer| answer.refused.as_ref()) {
        let mut cells = vec![name.into(), format!("did not start: {refused}")];
        cells.resize(COLUMNS, "–".into());
        return cells;
    }
    let spread = |value: &dyn Fn(&Answer) -> Option<f64>| {
        let values: Vec<f64> = own.iter().filter_map(|answer| value(answer)).collect();
        (!values.is_empty()).then(|| Quartiles::of(values))
    };
    let share = |seen, of| spread(&|answer| answer.share(seen, of)).map_or("–".into(), |share| format!("{share:.4}"));
    let a_connection = |value: &dyn Fn(&Answer) -> Option<f64>, digits: usize| {
        let value = |answer: &Answer| Some(value(answer)? / answer.number("connections")?);
        let told = if name == NOTHING { None } else { spread(&value) };
        told.map_or("–".into(), |spread| format!("{spread:.digits$}"))
    };
    let us = |key: &'static str| move |answer: &Answer| Some(answer.number(key)? / 1000.0);
    let both = |answer: &Answer| Some((answer.number("run_ns")? + answer.number("cpu_ns")?) / 1000.0);
    let off = Quartiles::of(of(NOTHING).filter_map(|answer| answer.number("rate"))).median;
    vec![
        name.into(),
        share("seen_connections", "connections"),
        share("seen_exchanges", "requests"),
        a_connection(&|answer| answer.number("runs"), 1),
        a_connection(&us("run_ns"), 0),
        a_connection(&us("cpu_ns"), 0),
        a_connection(&both, 0),
        spread(&|answer| Some(answer.number("rate")? / off)).map_or("–".into(), |kept| format!("{kept:.2}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_parsed_and_other_lines_ignored() {
        let answer =
            parse("peer name=tcpconnect connections=500 requests=500 seen_connections=499 seen_exchanges=- rate=9.5");
        let answer = answer.unwrap();
        assert_eq!(
            (answer.name.as_str(), answer.number("rate"), answer.number("seen_exchanges")),
            ("tcpconnect", Some(9.5), None)
        );
        assert_eq!(answer.share("seen_connections", "connections"), Some(0.998));
        assert!(!answer.is_exact());
        assert_eq!(parse("peer name=tcptop refused=no").unwrap().refused.as_deref(), Some("no"));
        assert_eq!(parse("nginx: [emerg] peer name=x"), None);
    }

    #[test]
    fn row_of_a_refused_watcher_has_the_reason() {
        let answers = [
            "peer name=nothing connections=500 requests=500 seen_connections=- seen_exchanges=- rate=100",
            "peer name=tcptop refused=failed_to_load_BPF_object:_2",
        ]
        .map(|line| parse(line).unwrap());
        let refused = row("tcptop", &answers);
        assert_eq!(refused.len(), COLUMNS);
        assert_eq!(refused[1], "did not start: failed to load BPF object: 2");
        let nothing = row(NOTHING, &answers);
        assert_eq!(nothing.len(), COLUMNS);
        assert_eq!(nothing[1], "–");
        assert_eq!(nothing[7], "1.00 (1.00 to 1.00)");
    }

    #[test]
    fn libraries_are_found_in_the_output_of_ldd() {
        let listing = "\tlinux-vdso.so.1 (0x7ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f)\n\
             \t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        let found = libraries(listing);
        assert_eq!(found, ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from));
    }
}
