//! Paths in the notation of each container engine and of systemd, with their source.

use super::*;

const ID: &str = "3f4e1d0c9b8a7f6e5d4c3b2a190807f6e5d4c3b2a1908f7e6d5c4b3a29180706";
const INNER: &str = "b1946ac92492d2347c6235b8a1e3f0d7c6b5a4938271605f4e3d2c1b0a998877";

/// Replaces the placeholders ID and INNER by container ids.
fn expand(text: &str) -> String {
    text.replace("INNER", INNER).replace("ID", ID)
}

#[test]
fn paths_yield_containers_and_units() {
    for (path, name) in [
        ("/", None),
        ("", None),
        ("/..", None),
        // Docker: cgroupfs driver, systemd driver, rootless, Docker in Docker, a custom parent cgroup
        ("/docker/ID", Some("ID")),
        ("/system.slice/docker-ID.scope", Some("ID")),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope", Some("ID")),
        ("/docker/ID/docker/INNER", Some("INNER")),
        ("/jobs/batch/ID", Some("ID")),
        // containerd: nerdctl, Docker's namespace, Kubernetes' namespace
        ("/system.slice/nerdctl-ID.scope", Some("ID")),
        ("/moby/ID", Some("ID")),
        ("/k8s.io/ID", Some("ID")),
        // Podman: root and rootless, whose processes are one level further down; in a pod; without systemd; its monitor
        ("/machine.slice/libpod-ID.scope/container", Some("ID")),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container", Some("ID")),
        ("/machine.slice/machine-libpod_pod_INNER.slice/libpod-ID.scope", Some("ID")),
        ("/libpod_parent/libpod-ID", Some("ID")),
        ("/machine.slice/libpod-conmon-ID.scope", Some("libpod-conmon-ID.scope")),
        // Kubernetes: containerd and CRI-O with the systemd driver, burstable and guaranteed pods, a monitor
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6c7d0a51_2f3e_4b5a_9c8d_7e6f5a4b3c2d.slice/cri-containerd-ID.scope",
            Some("ID"),
        ),
        ("/kubepods.slice/kubepods-pod6c7d0a51_2f3e_4b5a_9c8d_7e6f5a4b3c2d.slice/crio-ID.scope", Some("ID")),
        (
            "/kubepods.slice/kubepods-pod6c7d0a51_2f3e_4b5a_9c8d_7e6f5a4b3c2d.slice/crio-conmon-ID.scope",
            Some("crio-conmon-ID.scope"),
        ),
        // Kubernetes with the cgroupfs driver
        ("/kubepods/besteffort/pod6c7d0a51-2f3e-4b5a-9c8d-7e6f5a4b3c2d/ID", Some("ID")),
        ("/kubepods/burstable/pod6c7d0a51-2f3e-4b5a-9c8d-7e6f5a4b3c2d/crio-ID", Some("ID")),
        // a kubelet that uses the systemd driver, with a containerd that does not
        (
            "/system.slice/containerd.service/kubepods-besteffort-pod6c7d0a51_2f3e_4b5a_9c8d_7e6f5a4b3c2d.slice:cri-containerd:ID",
            Some("ID"),
        ),
        // kind, whose nodes are containers; a unit in a container that runs systemd
        (
            "/docker/ID/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod6c7d0a51_2f3e.slice/cri-containerd-INNER.scope",
            Some("INNER"),
        ),
        ("/docker/ID/system.slice/nginx.service", Some("ID")),
        // seen from a container with its own cgroup namespace
        ("/../../kubepods/besteffort/pod6c7d0a51-2f3e-4b5a-9c8d-7e6f5a4b3c2d/ID", Some("ID")),
        ("/../docker-ID.scope", Some("ID")),
        ("/../../jobs/batch-17", Some("/jobs/batch-17")),
        // Amazon ECS
        ("/ecs/f3b2c1d0e9f84a7b8c6d5e4f3a2b1c0d/ID", Some("ID")),
        // units, with and without cgroups below them
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
        // neither a container nor a unit
        ("/jobs/batch-17", Some("/jobs/batch-17")),
        ("/lxc.payload.web", Some("/lxc.payload.web")),
        ("/.service", Some("/.service")),
        // not quite an id: too short, no separator before it, not ASCII
        ("/docker/3f4e1d0c9b8a", Some("/docker/3f4e1d0c9b8a")),
        ("/docker/xID", Some("/docker/xID")),
        ("/é", Some("/é")),
    ] {
        assert_eq!(from_path(&expand(path)), name.map(expand), "{path}");
    }
    let capitals = format!("/docker/{}", ID.to_uppercase());
    assert_eq!(from_path(&capitals).as_ref(), Some(&capitals));
    let long = "é".repeat(40);
    assert_eq!(
        from_path(&format!("/{long}")),
        Some(format!("/{long}")),
        "an id-sized suffix that starts within a character"
    );
}

#[test]
fn proc_cgroup_is_understood_in_every_hierarchy_layout() {
    for (cgroups, name) in [
        // v2 only
        ("0::/system.slice/ssh.service\n", Some("ssh.service")),
        ("0::/\n", None),
        ("", None),
        // v1: Docker's cgroupfs driver, in all hierarchies and in some
        ("12:cpuset:/docker/ID\n11:cpu,cpuacct:/docker/ID\n1:name=systemd:/docker/ID\n", Some("ID")),
        ("3:cpuset:/\n2:memory:/docker/ID\n1:name=systemd:/\n", Some("ID")),
        // v1 with systemd: only its own hierarchy names the unit, others stop at the slice
        ("5:memory:/system.slice\n4:cpu,cpuacct:/\n1:name=systemd:/system.slice/cron.service\n", Some("cron.service")),
        // hybrid: v2 is mounted, but the container is only in v1
        ("9:name=systemd:/\n4:memory:/docker/ID\n0::/\n", Some("ID")),
        (
            "2:memory:/docker/ID\n1:name=systemd:/system.slice/containerd.service\n0::/system.slice/containerd.service\n",
            Some("ID"),
        ),
        ("4:memory:/jobs/17\n3:cpuset:/\n0::/\n", Some("/jobs/17")),
        ("2:memory:/jobs/17\n1:name=systemd:/user.slice/user-0.slice/session-1.scope\n", Some("session-1.scope")),
        // a path with colons; malformed lines
        ("1:name=systemd:/system.slice/containerd.service/kubepods-pod6c7d_0a51.slice:cri-containerd:ID\n", Some("ID")),
        ("nonsense\n0\n::\n0::/system.slice/a.service", Some("a.service")),
    ] {
        assert_eq!(from_proc_cgroup(&expand(cgroups)), name.map(expand), "{cgroups}");
    }
}

#[test]
fn v2_path_is_found_among_v1_hierarchies() {
    assert_eq!(v2_path("1:name=systemd:/b\n0::/a\n"), Some("/a"));
    assert_eq!(v2_path("1:name=systemd:/b\n"), None);
}
