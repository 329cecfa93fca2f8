//! What doctor finds, as root and without any privilege.

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{Ended, PROGRAM, run, tool, tool_as_nobody};

const NAMES: [&str; 18] = [
    "kernel",
    "btf",
    "lockdown",
    "CAP_BPF",
    "CAP_PERFMON",
    "CAP_NET_ADMIN",
    "memory-lock",
    "user-namespace",
    "container",
    "cgroup-v2",
    "maps",
    "ring-buffer",
    "base-tracepoints",
    "iterator",
    "sockops",
    "fentry",
    "kprobe",
    "tracepoint",
];

fn object(ended: &Ended) -> Value {
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

fn check<'a>(object: &'a Value, name: &str) -> &'a Value {
    object["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn as_root_the_watch_would_run() {
    let ended = tool("doctor -o json");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let object = object(&ended);
    assert_eq!((&object["type"], &object["schema"], &object["runs"]), (&"doctor".into(), &1.into(), &true.into()));
    assert_eq!(object["obstacle"], Value::Null);
    let names: Vec<_> = object["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    assert_eq!(names, NAMES);
    for check in object["checks"].as_array().unwrap() {
        assert!(["ok", "missing", "unknown"].contains(&check["status"].as_str().unwrap()), "{check}");
        let is_needed = !check["detail"].as_str().unwrap().starts_with("not needed");
        assert!(check["status"] != "missing" || !is_needed, "{check}");
    }
    for name in ["kernel", "btf", "CAP_BPF", "maps", "ring-buffer", "base-tracepoints", "iterator"] {
        assert_eq!(check(&object, name)["status"], "ok", "{object}");
    }
}

#[test]
fn it_takes_what_a_watch_takes() {
    let doctor = object(&tool("doctor -o json"));
    let watch = tool("-p 1 -o json --duration 100ms");
    let start: Value = serde_json::from_str(watch.stdout.lines().next().unwrap()).unwrap();
    for field in ["hooks", "kernel", "version", "hooks_not_taken"] {
        assert_eq!(doctor[field], start[field], "{field}");
    }
    for hook in doctor["hooks"].as_array().unwrap() {
        assert_eq!(check(&doctor, hook.as_str().unwrap())["status"], "ok");
    }
}

#[test]
fn lines_are_aligned_and_end_with_the_verdict() {
    let ended = tool("doctor");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for name in NAMES {
        assert!(
            ended.stdout.lines().any(|line| line.starts_with(&format!("{name:<16}  "))),
            "{name}: {}",
            ended.stdout
        );
    }
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ended.stdout);
    assert!(ended.stdout.lines().last().unwrap().starts_with("the watch would run, by "), "{}", ended.stdout);
}

#[test]
fn an_ordinary_user_gets_every_line_and_what_to_do() {
    let lines = tool_as_nobody("doctor");
    assert_eq!((lines.code, lines.stderr.as_str()), (Some(4), ""), "{lines:?}");
    assert!(lines.stdout.contains("run: sudo /") && lines.stdout.contains("\nthe watch would not run: "), "{lines:?}");
    let ended = tool_as_nobody("doctor -o json");
    assert_eq!(ended.code, Some(4));
    let object = object(&ended);
    assert_eq!((&object["runs"], &object["hooks"]), (&false.into(), &Value::Null));
    for name in ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"] {
        let check = check(&object, name);
        assert_eq!(check["status"], "missing");
        assert!(check["remedy"].as_str().unwrap().starts_with("run: sudo "), "{check}");
    }
    for (name, status) in [("kernel", "ok"), ("btf", "ok"), ("maps", "unknown"), ("fentry", "unknown")] {
        assert_eq!(check(&object, name)["status"], status, "{object}");
    }
}

#[test]
fn root_of_a_user_namespace_has_no_say() {
    for arguments in ["-p 1 --duration 100ms", "doctor"] {
        let mut command = Command::new("unshare");
        let ended = run(command.args(["-U", "-r", PROGRAM]).args(arguments.split_whitespace()));
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!((ended.stdout + &ended.stderr).contains("user namespace"));
    }
}

/// Removed when it is dropped: nobody is in it then.
struct Cgroup(PathBuf);

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// What it finds in a cgroup and a cgroup namespace of its own, as a container has them. `before`: what is done there first,
/// with `ROOT` for where the machine's cgroups are mounted.
fn in_a_container(name: &str, before: &str) -> Value {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mount = mounts.lines().find(|mount| mount.split(' ').nth(2) == Some("cgroup2")).expect("cgroup v2 is mounted");
    let root = mount.split(' ').nth(1).unwrap();
    let cgroup = Cgroup(PathBuf::from(format!("{root}/tcp-reuse-watch-{name}-{}", std::process::id())));
    fs::create_dir(&cgroup.0).unwrap();
    let within = format!("{}; exec {PROGRAM} doctor -o json", before.replace("ROOT", root));
    let script = format!("echo 0 >{}/cgroup.procs && exec unshare -C sh -c '{within}'", cgroup.0.display());
    let ended = run(Command::new("unshare").args(["-m", "sh", "-c", &script]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    object(&ended)
}

#[test]
fn in_a_container_that_has_the_machines_cgroups_it_runs_with_sockops() {
    let object = in_a_container("with", "true");
    assert_eq!(check(&object, "cgroup-v2")["status"], "ok");
    assert!(object["hooks"].as_array().unwrap().contains(&"sockops".into()), "{object}");
}

/// What is mounted there looks like the root, and is a part.
#[test]
fn in_a_container_it_runs_without_sockops() {
    let object = in_a_container("without", "umount -l ROOT && mount -t cgroup2 none ROOT && test -f ROOT/cgroup.procs");
    assert_eq!(check(&object, "cgroup-v2")["status"], "missing");
    let sockops = check(&object, "sockops");
    assert_eq!(sockops["status"], "missing");
    assert!(sockops["detail"].as_str().unwrap().starts_with("not needed: "), "{sockops}");
    assert!(!object["hooks"].as_array().unwrap().contains(&"sockops".into()), "{object}");
}

#[test]
fn options_that_doctor_has_not() {
    for arguments in ["doctor -o none", "doctor --port 80", "--port 80 doctor", "doctor --btf"] {
        assert_eq!(tool(arguments).code, Some(2), "{arguments}");
    }
}
