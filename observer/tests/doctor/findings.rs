//! The findings of doctor: as root, without privileges, and in containers.

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
fn root_passes_every_needed_check() {
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
fn doctor_reports_the_hooks_that_a_watch_attaches() {
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
fn unprivileged_user_gets_every_check_and_a_remedy() {
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
fn root_of_a_user_namespace_is_refused() {
    for arguments in ["-p 1 --duration 100ms", "doctor"] {
        let mut command = Command::new("unshare");
        let ended = run(command.args(["-U", "-r", PROGRAM]).args(arguments.split_whitespace()));
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!((ended.stdout + &ended.stderr).contains("user namespace"));
    }
}

/// A cgroup, removed on drop. It has no processes left by then.
struct Cgroup(PathBuf);

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Runs doctor in a cgroup and a cgroup namespace of its own, as in a container. `before` is a shell command that runs
/// there first; `ROOT` in it stands for the mount point of the machine's cgroups.
fn doctor_in_container(name: &str, before: &str) -> Value {
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
fn container_that_mounts_the_machines_cgroups_has_sockops() {
    let object = doctor_in_container("with", "true");
    assert_eq!(check(&object, "cgroup-v2")["status"], "ok");
    assert!(object["hooks"].as_array().unwrap().contains(&"sockops".into()), "{object}");
}

/// The container's own mount looks like the root of the hierarchy, but shows only a part of it.
#[test]
fn container_with_its_own_cgroup_mount_runs_without_sockops() {
    let object =
        doctor_in_container("without", "umount -l ROOT && mount -t cgroup2 none ROOT && test -f ROOT/cgroup.procs");
    assert_eq!(check(&object, "cgroup-v2")["status"], "missing");
    let sockops = check(&object, "sockops");
    assert_eq!(sockops["status"], "missing");
    assert!(sockops["detail"].as_str().unwrap().starts_with("not needed: "), "{sockops}");
    assert!(!object["hooks"].as_array().unwrap().contains(&"sockops".into()), "{object}");
}

#[test]
fn options_of_the_watch_are_rejected_by_doctor() {
    for arguments in ["doctor -o none", "doctor --port 80", "--port 80 doctor", "doctor --btf"] {
        assert_eq!(tool(arguments).code, Some(2), "{arguments}");
    }
}
