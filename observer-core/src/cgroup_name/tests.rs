//! Paths as the engines write them, each with where it comes from.

use super::*;

const ID: &str = "3f4e1d0c9b8a7f6e5d4c3b2a190807f6e5d4c3b2a1908f7e6d5c4b3a29180706";
const INNER: &str = "b1946ac92492d2347c6235b8a1e3f0d7c6b5a4938271605f4e3d2c1b0a998877";

/// ID and INNER stand for themselves.
fn written(text: &str) -> String {
    text.replace("INNER", INNER).replace("ID", ID)
}

#[test]
fn paths_of_containers_and_units() {
    for (path, name) in [
        ("/", None),
        ("", None),
        ("/..", None),
        // docker, cgroupfs driver; systemd driver; rootless; docker in docker; in a parent of its own
        ("/docker/ID", Some("ID")),
        ("/system.slice/docker-ID.scope", Some("ID")),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope", Some("ID")),
        ("/docker/ID/docker/INNER", Some("INNER")),
        ("/jobs/batch/ID", Some("ID")),
        // containerd: nerdctl, docker's namespace, the namespace of Kubernetes
        ("/system.slice/nerdctl-ID.scope", Some("ID")),
        ("/moby/ID", Some("ID")),
        ("/k8s.io/ID", Some("ID")),
        // podman: root, and a user's, whose processes are one further down; without systemd; its monitor
        ("/machine.slice/libpod-ID.scope/container", Some("ID")),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container", Some("ID")),
        ("/machine.slice/machine-libpod_pod_INNER.slice/libpod-ID.scope", Some("ID")),
        ("/libpod_parent/libpod-ID", Some("ID")),
        ("/machine.slice/libpod-conmon-ID.scope", Some("libpod-conmon-ID.scope")),
        // Kubernetes: containerd and cri-o with the systemd driver, guaranteed and burstable pods
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6c7d0a51_2f3e_4b5a_9c8d_7e6f5a4b3c2d.slice/cri-containerd-ID.scope",
            Some("ID"),
        ),
        ("/kubepods.slice/kubepods-pod6c7d0a51_2f3e_4b5a_9c8d_7e6f5a4b3c2d.slice/crio-ID.scope", Some("ID")),
        (
            "/kubepods.slice/kubepods-pod6c7d0a51_2f3e_4b5a_9c8d_7e6f5a4b3c2d.slice/crio-conmon-ID.scope",
            Some("crio-conmon-ID.scope"),
        ),
        // and with the cgroupfs driver
        ("/kubepods/besteffort/pod6c7d0a51-2f3e-4b5a-9c8d-7e6f5a4b3c2d/ID", Some("ID")),
        ("/kubepods/burstable/pod6c7d0a51-2f3e-4b5a-9c8d-7e6f5a4b3c2d/crio-ID", Some("ID")),
        // containerd told of slices by the kubelet while it does not use systemd itself
        (
            "/system.slice/containerd.service/kubepods-besteffort-pod6c7d0a51_2f3e_4b5a_9c8d_7e6f5a4b3c2d.slice:cri-containerd:ID",
            Some("ID"),
        ),
        // kind: a node that is a container; and a unit in a container that runs systemd
        (
            "/docker/ID/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod6c7d0a51_2f3e.slice/cri-containerd-INNER.scope",
            Some("INNER"),
        ),
        ("/docker/ID/system.slice/nginx.service", Some("ID")),
        // seen from a container with a cgroup namespace of its own
        ("/../../kubepods/besteffort/pod6c7d0a51-2f3e-4b5a-9c8d-7e6f5a4b3c2d/ID", Some("ID")),
        ("/../docker-ID.scope", Some("ID")),
        ("/../../jobs/batch-17", Some("/jobs/batch-17")),
        // Amazon ECS
        ("/ecs/f3b2c1d0e9f84a7b8c6d5e4f3a2b1c0d/ID", Some("ID")),
        // units, with what they have below them
        ("/system.slice/nginx.service", Some("nginx.service")),
        ("/system.slice/system-postgresql.slice/postgresql@17-main.service", Some("postgresql@17-main.service")),
        ("/system.slice/docker.service/supervisor", Some("docker.service")),
        ("/machine.slice/systemd-nspawn@web.service/payload", Some("systemd-nspawn@web.service")),
        ("/init.scope", Some("init.scope")),
        ("/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope")),
        ("/user.slice/user-1000.slice/user@1000.service/init.scope", Some("user@1000.service")),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1b2c.scope",
            Some("vte-spawn-1b2c.scope"),
        ),
        ("/system.slice/_cpu.service", Some("cpu.service")),
        ("/system.slice", Some("system.slice")),
        ("/system.slice/nginx.service (deleted)", Some("nginx.service")),
        // neither
        ("/jobs/batch-17", Some("/jobs/batch-17")),
        ("/lxc.payload.web", Some("/lxc.payload.web")),
        ("/.service", Some("/.service")),
        // nearly an id: too short, no hexadecimal digits, capitals, not behind a separator
        ("/docker/3f4e1d0c9b8a", Some("/docker/3f4e1d0c9b8a")),
        ("/docker/xID", Some("/docker/xID")),
        ("/é", Some("/é")),
    ] {
        assert_eq!(of_path(&written(path)), name.map(written), "{path}");
    }
    let capitals = format!("/docker/{}", ID.to_uppercase());
    assert_eq!(of_path(&capitals).as_ref(), Some(&capitals));
    let long = "é".repeat(40);
    assert_eq!(of_path(&format!("/{long}")), Some(format!("/{long}")), "cut at no character");
}

#[test]
fn processes_in_every_layout() {
    for (cgroups, name) in [
        // v2 alone
        ("0::/system.slice/ssh.service\n", Some("ssh.service")),
        ("0::/\n", None),
        ("", None),
        // v1: docker's cgroupfs driver; not all hierarchies are used
        ("12:cpuset:/docker/ID\n11:cpu,cpuacct:/docker/ID\n1:name=systemd:/docker/ID\n", Some("ID")),
        ("3:cpuset:/\n2:memory:/docker/ID\n1:name=systemd:/\n", Some("ID")),
        // v1 with systemd: its own hierarchy tells, others stop at the slice
        ("5:memory:/system.slice\n4:cpu,cpuacct:/\n1:name=systemd:/system.slice/cron.service\n", Some("cron.service")),
        // hybrid: v2 is there, and the container is in v1 alone
        ("9:name=systemd:/\n4:memory:/docker/ID\n0::/\n", Some("ID")),
        (
            "2:memory:/docker/ID\n1:name=systemd:/system.slice/containerd.service\n0::/system.slice/containerd.service\n",
            Some("ID"),
        ),
        ("4:memory:/jobs/17\n3:cpuset:/\n0::/\n", Some("/jobs/17")),
        ("2:memory:/jobs/17\n1:name=systemd:/user.slice/user-0.slice/session-1.scope\n", Some("session-1.scope")),
        // a path with colons; lines that are none
        ("1:name=systemd:/system.slice/containerd.service/kubepods-pod6c7d_0a51.slice:cri-containerd:ID\n", Some("ID")),
        ("nonsense\n0\n::\n0::/system.slice/a.service", Some("a.service")),
    ] {
        assert_eq!(of_process(&written(cgroups)), name.map(written), "{cgroups}");
    }
}

#[test]
fn the_unified_hierarchy_is_told_from_others() {
    assert_eq!(unified("1:name=systemd:/b\n0::/a\n"), Some("/a"));
    assert_eq!(unified("1:name=systemd:/b\n"), None);
}
