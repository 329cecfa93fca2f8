//! Refusals of the tool: missing privileges and invalid values. They come before anything is attached, so unprivileged
//! users also learn of an invalid value.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path, process::Command};

use tempfile::tempdir;

use crate::support::{
    machine::Machine,
    nobody::{as_nobody, chown_to_nobody, world_executable_tool},
    tool::{self, RunOutput},
};

/// Asserts the exit code, an empty standard output, and that stderr contains all these words.
#[track_caller]
fn assert_refused(ended: &RunOutput, code: i32, words: &[&str]) {
    ended.assert_code(code);
    assert_eq!(ended.stdout, "");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is missing: {}", ended.stderr);
    }
}

#[test]
fn unprivileged_user_gets_the_missing_capabilities_and_a_command() {
    let (_folder, tool) = world_executable_tool();
    for arguments in ["-p 8080", "-p 8080 -o json", "--port 8080 --hooks sockops,tracepoint", ""] {
        let ended = RunOutput::run(&mut as_nobody(&tool, arguments));
        let command = format!("sudo {tool} {arguments}");
        let words = ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", command.trim_end()];
        assert_refused(&ended, 4, &words);
        assert_eq!(ended.stderr.trim_end().lines().count(), 1, "one message: {}", ended.stderr);
    }
}

/// `--summary` is opened before privileges are checked, so it names a file that nobody may write.
#[test]
fn arguments_that_are_not_utf8_are_repeated_escaped() {
    let (_folder, tool) = world_executable_tool();
    let directory = tempdir().expect("cannot create a directory");
    chown_to_nobody(directory.path());
    let mut command = as_nobody(&tool, "-o none --summary");
    let ended = RunOutput::run(command.arg(directory.path().join(OsStr::from_bytes(b"\xff"))));
    assert_refused(&ended, 4, &["CAP_BPF", "--summary $'", r"\xff'"]);
}

#[test]
fn unknown_option_is_refused() {
    let (_folder, tool) = world_executable_tool();
    for arguments in [
        "--prot 8080",
        "-x",
        "watch",
        "--min-use 0.5",
        "--children",
        "--run-as root",
        "-o tui -- true",
        "--pid 1 -- true",
    ] {
        for ended in [RunOutput::run(&mut tool::command(arguments)), RunOutput::run(&mut as_nobody(&tool, arguments))] {
            assert_refused(&ended, 2, &["Usage: tcp-reuse-watch", "--help"]);
        }
    }
}

#[test]
fn invalid_values_are_refused_with_the_accepted_ones() {
    let (_folder, tool) = world_executable_tool();
    for (arguments, value, accepted) in [
        ("-p 70000", "70000", "1 to 65535"),
        ("-p 0", "'0'", "1 to 65535"),
        ("-p http", "http", "1 to 65535"),
        ("-p 80,70000", "70000", "1 to 65535"),
        ("-p 9000-8000", "9000-8000", "8000-9000"),
        ("-p 8000-70000", "70000", "1 to 65535"),
        ("--dest 10.0.0.0/33", "10.0.0.0/33", "10.0.0.0/8"),
        ("--dest example.org", "example.org", "CIDR"),
        ("--pid 4194304", "4194304", "no such process"),
        ("--pid 0", "'0'", "process id"),
        ("--pid nginx", "nginx", "process id"),
        ("--duration 0", "'0'", "90s"),
        ("--duration soon", "soon", "90s"),
        ("--output xml", "xml", "json"),
        ("--hooks ebpf", "ebpf", "tracepoint"),
        ("--max-connections 0", "'0'", "1"),
        ("--ring-size 5000", "5000", "power of two"),
        ("-o none --exchanges", "--exchanges", "-o json"),
        ("--record one --summary one", "--record", "one file"),
        ("--summary one --report junit=one", "--report", "one file"),
        ("--report junit=one --report markdown=one", "--report", "one file"),
        ("--report html=one", "html=one", "markdown=FILE"),
        ("--min-reuse 90", "'90'", "90%"),
        ("--max-avoidable few", "'few'", "digit"),
        ("--fail-on slow", "'slow'", "response-not-read"),
        ("replay one --summary one", "--summary", "overwrite"),
        ("replay one --report junit=one", "--report", "overwrite"),
        ("replay one --fail-on max-lifetime", "'max-lifetime' is healthy", "server-closes-each"),
        ("replay one --speed 0", "'0'", "max"),
        ("replay one --speed fast", "fast", "max"),
        ("replay", "<FILE>", "Usage"),
    ] {
        for ended in [RunOutput::run(&mut tool::command(arguments)), RunOutput::run(&mut as_nobody(&tool, arguments))] {
            assert_refused(&ended, 2, &[value, accepted]);
        }
    }
}

#[test]
fn pid_of_an_ended_process_is_refused() {
    let mut child = Command::new("true").spawn().expect("cannot run true");
    let pid = child.id().to_string();
    child.wait().expect("cannot wait for true");
    assert_refused(&RunOutput::run(&mut tool::command(&format!("--pid {pid}"))), 2, &[&pid, "no such process"]);
}

#[test]
fn unwritable_files_are_refused() {
    let _machine = Machine::shared();
    let (folder, tool) = world_executable_tool();
    let nowhere = Path::new("/no/such/folder/file");
    for path in [nowhere, folder.path()] {
        let path = path.display().to_string();
        for option in ["--summary ", "--log-file ", "--record ", "--report=junit=", "--report=markdown="] {
            let arguments = format!("--duration 1 {option}{path}");
            for ended in
                [RunOutput::run(&mut tool::command(&arguments)), RunOutput::run(&mut as_nobody(&tool, &arguments))]
            {
                assert_refused(&ended, 1, &[&path]);
                assert_eq!(ended.stderr.trim_end().lines().count(), 1, "one message: {}", ended.stderr);
            }
        }
    }
}
