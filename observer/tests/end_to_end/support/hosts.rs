//! Two hosts on this machine: network namespaces connected by a veth pair.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use super::programs::{output_of, program};

/// Network namespaces named after this process, and deleted on drop.
pub(crate) struct Hosts {
    pub(crate) near: Host,
    pub(crate) far: Host,
}

pub(crate) struct Host {
    name: String,
    /// Addresses of the documentation networks (RFC 5737, RFC 3849).
    pub(crate) ipv4: &'static str,
    pub(crate) ipv6: &'static str,
}

impl Hosts {
    pub(crate) fn new() -> Self {
        let hosts = Self {
            near: Host::new("near", "192.0.2.1", "2001:db8::1"),
            far: Host::new("far", "192.0.2.2", "2001:db8::2"),
        };
        let (near, far) = (&hosts.near, &hosts.far);
        ip(&format!("link add name cable netns {} type veth peer name cable netns {}", near.name, far.name));
        near.configure();
        far.configure();
        hosts
    }
}

impl Host {
    fn new(role: &str, ipv4: &'static str, ipv6: &'static str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("reuse-{}-{}-{role}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        ip(&format!("netns add {name}"));
        Self { name, ipv4, ipv6 }
    }

    fn configure(&self) {
        let Self { name, ipv4, ipv6 } = self;
        ip(&format!("-n {name} address add {ipv4}/24 dev cable"));
        // Without duplicate address detection the address is usable at once.
        ip(&format!("-n {name} address add {ipv6}/64 dev cable nodad"));
        ip(&format!("-n {name} link set lo up"));
        ip(&format!("-n {name} link set cable up"));
    }

    /// Wraps a command to run on this host.
    pub(crate) fn run(&self, command: &Command) -> Command {
        let mut there = program("ip", "iproute2");
        there.args(["netns", "exec", &self.name]).arg(command.get_program()).args(command.get_args());
        there
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A process that still runs there keeps the namespace alive, without a name, until it exits.
        let deleted = Command::new("ip").args(["netns", "delete", &self.name]).status();
        if !deleted.is_ok_and(|status| status.success()) {
            eprintln!("the network namespace {} cannot be deleted", self.name);
        }
    }
}

fn ip(arguments: &str) {
    output_of(program("ip", "iproute2").args(arguments.split_whitespace()));
}
