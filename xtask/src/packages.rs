//! The Debian packages that the commands need. Add a package here, in the list of the command that needs it.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::workspace::{output, run};

/// What the BPF objects are built with: a rustc with the BPF target's core library, and the LLVM it was built on.
/// llvm-22-dev brings all that bpf-linker links; rustc-web brings the C linker.
pub(crate) const FOR_EBPF: &[&str] = &["rustc-web", "libstd-rust-web-dev-bpf", "llvm-22-dev"];

/// The real clients, servers and tools that the end-to-end tests run.
pub(crate) const FOR_TESTS: &[&str] = &[
    "apache2-utils",
    "apt",
    "curl",
    "erlang-base",
    "golang-go",
    "golang-golang-x-net-dev",
    "haproxy",
    "iproute2",
    "ldap-utils",
    "mariadb-server",
    "memcached",
    "mosquitto",
    "mosquitto-clients",
    "nats-server",
    "nghttp2-client",
    "nghttp2-server",
    "nginx",
    "nodejs",
    "openjdk-17-jdk-headless",
    "openssh-client",
    "openssh-server",
    "openssl",
    "perl-base",
    "php-cli",
    "postgresql",
    "procps",
    "prometheus",
    "python3",
    "python3-grpcio",
    "python3-httpx",
    "python3-pika",
    "python3-prometheus-client",
    "python3-psycopg2",
    "python3-pycurl",
    "python3-pymemcache",
    "python3-pymysql",
    "python3-redis",
    "python3-requests",
    "python3-websockets",
    "python3-yaml",
    "rabbitmq-server",
    "redis-server",
    "redis-tools",
    "ruby",
    "slapd",
    "squid",
    "strace",
    "systemd",
    "wrk",
];

/// Loads and servers for `cargo xtask bench` and `soak`, and what people would look with instead.
pub(crate) const FOR_BENCH: &[&str] =
    &["apache2-utils", "bsdutils", "iproute2", "libbpf-tools", "net-tools", "nginx", "tcpdump", "util-linux", "wrk"];

/// What boots other kernels: see `cargo xtask vm`. The last has the keys of Debian, on Ubuntu too.
pub(crate) const FOR_VM: &[&str] = &["qemu-system-x86", "busybox-static", "cpio", "debian-archive-keyring"];

/// Those of `packages` that are not installed.
pub(crate) fn missing(packages: &[&'static str]) -> Result<Vec<&'static str>> {
    // The exit code only says that some are unknown, which is an answer here.
    let listing = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .with_context(|| format!("cannot run dpkg-query: without Debian or Ubuntu, install these: {packages:?}"))?;
    let listing = String::from_utf8_lossy(&listing.stdout);
    Ok(packages.iter().filter(|package| !is_installed(&listing, package)).copied().collect())
}

/// The installed version of a package, if it is installed.
pub(crate) fn version(package: &str) -> Option<String> {
    output(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package])).ok()
}

/// Installs packages. Needs root.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    run(apt_get().arg("update"))?;
    run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// The line that installs packages, for a person to run.
pub(crate) fn install_line(packages: &[&str]) -> String {
    let packages = packages.join(" ");
    format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

fn is_installed(listing: &str, package: &str) -> bool {
    listing.lines().any(|line| line.split_once(' ') == Some((package, "installed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_package_is_not_installed() {
        let listing = "curl installed\nopenssl config-files\nlibcurl4 not-installed\n";
        assert!(is_installed(listing, "curl"));
        assert!(!is_installed(listing, "openssl"));
        assert!(!is_installed(listing, "libcurl4"));
        assert!(!is_installed(listing, "cur"));
    }

    #[test]
    fn the_line_to_run_names_every_package() {
        assert!(install_line(&["curl", "openssl"]).ends_with(" curl openssl"));
    }
}
