//! From a plan to attached programs: constants frozen in, maps sized, the best set of hooks that really loads.

use std::{thread, time::Instant};

use anyhow::{Context as _, anyhow};
use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{HashMap, LpmTrie, PerCpuArray, RingBuf, lpm_trie::Key},
    programs::ProgramError,
};
use tcp_reuse_watch_ebpf::{Filter, Group, GroupKey, OVERFLOW, Offsets, PORT_WORDS, Switches};

use super::{
    CgroupRoot, Counters, HookSet, Kernel, KernelLog, Plan, Wire, cgroup,
    hooks::{self, SEND_TRACEPOINT},
    mapped,
    offsets::KernelTypes,
    privileges, readable,
};
use crate::exit::NotPermitted;

/// Groups in the kernel at a time, the overflow group included.
const MAX_GROUPS: u32 = 10_001;

/// What the running kernel is like, as far as the programs must know.
struct KernelFacts {
    offsets: Offsets,
    iter_types: Switches,
    has_send_tracepoint: bool,
}

impl KernelFacts {
    fn read() -> anyhow::Result<Self> {
        let types = KernelTypes::read()?;
        let mut iter_types = Switches::default();
        types.set_iter_types(&mut iter_types);
        let has_send_tracepoint = types.has_tracepoint(SEND_TRACEPOINT);
        Ok(Self { offsets: types.offsets()?, iter_types, has_send_tracepoint })
    }
}

impl Kernel {
    /// Attaches what the plan asks for. Must be called within a tokio runtime.
    ///
    /// Fails with [`NotPermitted`] where privileges or the kernel do not allow it.
    pub(crate) fn attach(plan: &Plan) -> anyhow::Result<Self> {
        let started = Instant::now();
        privileges::check(plan.hooks.is_some_and(|hooks| hooks.sockops))?;
        // Each reads the kernel's type information, in its own way: together they are most of the time to start.
        let (facts, btf) = thread::scope(|scope| {
            let facts = scope.spawn(KernelFacts::read);
            let btf = Btf::from_sys_fs().context("cannot read the kernel's type information");
            (facts.join().unwrap_or_else(|_| Err(anyhow!("the kernel's type information is malformed"))), btf)
        });
        let loader = Loader { plan, facts: facts?, btf: btf? };
        log::debug!("type information read after {:?}", started.elapsed());
        let kernel = match plan.hooks {
            Some(hooks) => loader.load_chosen(hooks)?,
            None => loader.load_best()?,
        };
        log::info!("attached {} after {:?}", kernel.hooks, started.elapsed());
        Ok(kernel)
    }
}

/// Everything that a load needs, whichever hooks it takes.
struct Loader<'a> {
    plan: &'a Plan,
    facts: KernelFacts,
    btf: Btf,
}

impl Loader<'_> {
    fn load_chosen(&self, hooks: HookSet) -> anyhow::Result<Kernel> {
        let root = hooks.sockops.then(cgroup::open_root).transpose();
        let root = root.map_err(|why| NotPermitted(format!("sockops is not possible: {why}")))?;
        self.load(root.as_ref(), hooks.tracepoint)
    }

    /// The tracepoints, with sock_ops beside them where that is possible.
    fn load_best(&self) -> anyhow::Result<Kernel> {
        let root =
            if privileges::has_net_admin() { cgroup::open_root() } else { Err("CAP_NET_ADMIN is missing".into()) };
        let why = match root {
            Ok(root) => match self.load(Some(&root), true) {
                Ok(kernel) => return Ok(kernel),
                Err(error) => format!("{error:#}"),
            },
            Err(why) => why,
        };
        let mut kernel = self.load(None, true)?;
        kernel.remarks.push(format!("watching without sockops: {why}"));
        Ok(kernel)
    }

    fn load(&self, root: Option<&CgroupRoot>, tracepoint: bool) -> anyhow::Result<Kernel> {
        let sees_sends = tracepoint && self.facts.has_send_tracepoint;
        let mut ebpf = self.create(root.is_some(), sees_sends)?;
        fill(&mut ebpf, self.plan)?;
        let log = self.plan.diagnostics.then(|| KernelLog::new(&mut ebpf)).transpose()?;
        let links = hooks::attach(&mut ebpf, &self.btf, sees_sends, root).map_err(|error| refused(&error))?;
        let ring = readable(RingBuf::try_from(map(&mut ebpf, "EVENTS")?)?)?;
        let counters = Counters::new(
            HashMap::try_from(map(&mut ebpf, "GROUPS")?)?,
            HashMap::try_from(map(&mut ebpf, "CONNECTIONS")?)?,
            PerCpuArray::try_from(map(&mut ebpf, "LOSS")?)?,
            sees_sends,
            root.is_some(),
        );
        let hooks = HookSet { sockops: root.is_some(), tracepoint };
        Ok(Kernel { ebpf, links: Some(links), hooks, remarks: Vec::new(), ring, counters, log })
    }

    /// Creates the maps, with everything frozen in that the programs take as given.
    fn create(&self, sockops: bool, sees_sends: bool) -> anyhow::Result<Ebpf> {
        let Self { plan, facts, btf } = self;
        let filter = Wire(Filter {
            by_port: u32::from(!plan.ports.is_empty()),
            by_destination: u32::from(!plan.destinations.is_empty()),
            by_pid: u32::from(!plan.pids.is_empty()),
            by_process: u32::from(!plan.processes.is_empty()),
        });
        let switches = Wire(Switches {
            rows: u32::from(plan.rows),
            exchange_rows: u32::from(plan.exchange_rows),
            sockops: u32::from(sockops),
            sees_sends: u32::from(sees_sends),
            ..facts.iter_types
        });
        let offsets = Wire(facts.offsets);
        let ports = port_bits(&plan.ports);
        let log_level = if plan.diagnostics { u8::MAX } else { 0 };
        let size = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
        let mut loader = EbpfLoader::new();
        loader
            .btf(Some(btf))
            .override_global("OFFSETS", &offsets, true)
            .override_global("FILTER", &filter, true)
            .override_global("SWITCHES", &switches, true)
            .override_global("PORTS", ports.as_slice(), true)
            .override_global(aya_log::LEVEL, &log_level, true)
            .map_max_entries("CONNECTIONS", plan.max_connections)
            .map_max_entries("GROUPS", MAX_GROUPS)
            .map_max_entries("EVENTS", plan.ring_bytes)
            .map_max_entries("DESTINATIONS", size(plan.destinations.len()))
            .map_max_entries("PIDS", size(plan.pids.len()))
            .map_max_entries("PROCESSES", size(plan.processes.len()));
        loader
            .load(aya::include_bytes_aligned!(env!("BPF_OBJECT")))
            .context("cannot create the BPF maps (is the limit for locked memory, ulimit -l, too low?)")
    }
}

/// The kernel said no to a program that it should have taken. What its verifier said is for the diagnostics.
fn refused(error: &anyhow::Error) -> NotPermitted {
    log::debug!("refused: {error:?}");
    let reason = match error.downcast_ref::<ProgramError>() {
        Some(ProgramError::LoadError { io_error, .. }) => format!("{error}: {io_error}"),
        _ => format!("{error:#}"),
    };
    NotPermitted(format!("not supported by this kernel ({}): {reason} (-v tells more)", super::release()))
}

/// One bit a port.
fn port_bits(ranges: &[(u16, u16)]) -> Vec<u64> {
    let mut words = vec![0; PORT_WORDS];
    for (first, last) in ranges {
        for port in *first..=*last {
            words[usize::from(port >> 6)] |= 1 << (port & 63);
        }
    }
    words
}

/// Puts in what must be there before the first connection.
fn fill(ebpf: &mut Ebpf, plan: &Plan) -> anyhow::Result<()> {
    let mut groups: HashMap<_, Wire<GroupKey>, Wire<Group>> = HashMap::try_from(map_mut(ebpf, "GROUPS")?)?;
    groups.insert(Wire(OVERFLOW), Wire(Group::default()), 0)?;
    let mut destinations: LpmTrie<_, [u8; 16], u8> = LpmTrie::try_from(map_mut(ebpf, "DESTINATIONS")?)?;
    for network in &plan.destinations {
        let (prefix, address) = mapped(network);
        destinations.insert(&Key::new(prefix, address), 1, 0)?;
    }
    let mut pids: HashMap<_, u32, u8> = HashMap::try_from(map_mut(ebpf, "PIDS")?)?;
    for pid in &plan.pids {
        pids.insert(pid, 1, 0)?;
    }
    let mut processes: HashMap<_, [u8; 16], u8> = HashMap::try_from(map_mut(ebpf, "PROCESSES")?)?;
    for process in &plan.processes {
        processes.insert(comm(process), 1, 0)?;
    }
    Ok(())
}

/// A process's name as the kernel keeps it: 15 bytes and a NUL.
fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    let len = name.len().min(15);
    comm[..len].copy_from_slice(&name.as_bytes()[..len]);
    comm
}

fn map(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<aya::maps::Map> {
    ebpf.take_map(name).ok_or_else(|| anyhow!("the BPF object has no map {name}"))
}

fn map_mut<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut aya::maps::Map> {
    ebpf.map_mut(name).ok_or_else(|| anyhow!("the BPF object has no map {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_bits() {
        let words = port_bits(&[(80, 80), (65_535, 65_535), (64, 66)]);
        assert_eq!(words[1], 1 << 16 | 0b111);
        assert_eq!(words[1023], 1 << 63);
        assert_eq!(words.iter().map(|word| word.count_ones()).sum::<u32>(), 5);
    }

    #[test]
    fn names_are_compared_on_fifteen_bytes() {
        assert_eq!(&comm("a-process-with-a-long-name"), b"a-process-with-\0");
        assert_eq!(&comm("curl")[..5], b"curl\0");
    }
}
