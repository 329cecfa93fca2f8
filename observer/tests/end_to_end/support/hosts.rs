//! Two hosts on this machine: network namespaces connected by a veth pair.

use std::{
    fs::{self, File},
    os::fd::AsFd as _,
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    machine::Machine,
    programs::{output_of, program},
    tool,
    watch::Watch,
};

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
    /// Starts a watch here, like `Machine::watch`.
    pub(crate) fn watch<'a>(&self, machine: &'a Machine, arguments: impl AsRef<str>) -> Watch<'a> {
        Watch::start(machine, &mut self.run(&tool::command(arguments.as_ref())))
    }

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

    /// Runs `work` in a thread that is on this host. Sockets that it creates stay here, and so do threads that it starts.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name);
        let namespace = File::open(&path).unwrap_or_else(|error| panic!("cannot open {path}: {error}"));
        let enter = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("cannot enter the network namespace");
            work()
        };
        thread::scope(|scope| scope.spawn(enter).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    pub(crate) fn add_address(&self, address: &str) {
        ip(&format!("-n {} address add {address} dev cable", self.name));
    }

    pub(crate) fn add_route(&self, network: &str, through: &str) {
        ip(&format!("-n {} route add {network} via {through}", self.name));
    }

    /// Sets a parameter of this host's network, such as `net/ipv4/ip_forward`.
    pub(crate) fn set_parameter(&self, path: &str, value: &str) {
        let path = format!("/proc/sys/{path}");
        self.within(|| fs::write(&path, value).unwrap_or_else(|error| panic!("cannot set {path}: {error}")));
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
