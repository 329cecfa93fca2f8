//! The Debian packages that the commands need. Add a package to the list of the command that needs it.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::support::workspace::{output, run};

/// Tools that build the BPF objects: a rustc with a core library for BPF, and the LLVM that it was built on.
/// llvm-22-dev pulls in everything that bpf-linker links, and rustc-web pulls in the C linker.
pub(crate) const FOR_EBPF: &[&str] = &["rustc-web", "libstd-rust-web-dev-bpf", "llvm-22-dev"];

/// Debian's rustc. Its path is fixed, because rustup's comes first in PATH.
pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Real clients, servers and tools that the end-to-end tests run.
pub(crate) const FOR_TESTS: &[&str] = &[
    "apache2-utils",
    "apt",
    "cmark-gfm",
    "curl",
    "erlang-base",
    "gdb",
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
    "python3-junitparser",
    "python3-pika",
    "python3-prometheus-client",
    "python3-psycopg2",
    "python3-pycurl",
    "python3-pymemcache",
    "python3-pymysql",
    "python3-pytest",
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

/// Load generators, servers and alternative tools for `cargo xtask bench`.
pub(crate) const FOR_BENCH: &[&str] =
    &["apache2-utils", "bsdutils", "iproute2", "libbpf-tools", "net-tools", "nginx", "tcpdump", "util-linux", "wrk"];

/// The compiler of libFuzzer, for `cargo xtask fuzz`.
pub(crate) const FOR_FUZZ: &[&str] = &["g++"];

/// Tools that boot other kernels, for `cargo xtask vm`. The last one has Debian's keys, which Ubuntu lacks.
pub(crate) const FOR_VM: &[&str] = &["qemu-system-x86", "busybox-static", "cpio", "debian-archive-keyring"];

/// Tools that build for 64-bit ARM and boot its kernels, for `cargo xtask vm --arch aarch64`.
pub(crate) const FOR_VM_AARCH64: &[&str] = &[
    "qemu-system-arm",
    "gcc-aarch64-linux-gnu",
    "libc6-dev-arm64-cross",
    "rustc-web",
    "cpio",
    "debian-archive-keyring",
];

/// The packages that are not installed.
pub(crate) fn missing(packages: &[&'static str]) -> Result<Vec<&'static str>> {
    // The exit code is not 0 if a package is unknown, which is no failure here.
    let listing = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .with_context(|| {
            format!("cannot run dpkg-query: on anything but Debian or Ubuntu, install the counterparts of {packages:?}")
        })?;
    let listing = String::from_utf8_lossy(&listing.stdout);
    Ok(packages.iter().filter(|package| !is_installed(&listing, package)).copied().collect())
}

/// The version of a package, if it is installed.
pub(crate) fn version(package: &str) -> Option<String> {
    output(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package])).ok()
}

/// Lists the packages, then installs them. Needs root.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    println!("installing {} Debian packages: {}", packages.len(), packages.join(" "));
    run(apt_get().arg("update"))?;
    run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// The command line that installs packages.
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
    fn removed_package_is_not_installed() {
        let listing = "curl installed\nopenssl config-files\nlibcurl4 not-installed\n";
        assert!(is_installed(listing, "curl"));
        assert!(!is_installed(listing, "openssl"));
        assert!(!is_installed(listing, "libcurl4"));
        assert!(!is_installed(listing, "cur"));
    }

    #[test]
    fn install_line_names_every_package() {
        assert!(install_line(&["curl", "openssl"]).ends_with(" curl openssl"));
    }
}
