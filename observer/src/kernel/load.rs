//! From a plan to attached programs: constants frozen in, maps sized, the best set of hooks that really loads.

mod trial;

use std::{net::Ipv4Addr, time::Instant};

use anyhow::{Context as _, anyhow};
use aya::{
    Btf, Ebpf, EbpfLoader, Endianness,
    maps::{Array, HashMap, LpmTrie, PerCpuArray, Queue, RingBuf, lpm_trie::Key},
    programs::{ProgramError, ProgramType},
    sys::{BpfHelper, is_helper_supported},
};
use ipnet::Ipv4Net;
use tcp_reuse_watch_ebpf::{Connect, Filter, OVERFLOW_SLOT, Offsets, PORT_WORDS, Switches};

use super::{
    Counters, HookSet, Kernel, KernelLog, Plan, Wire,
    btf::Source,
    hooks::{self, Places},
    inventory::{Inventory, MAX_OWNERS, MAX_STATES},
    mapped,
    offsets::KernelTypes,
    readable,
};
use crate::{
    exit::NotPermitted,
    host::{
        cgroup::{self, CgroupRoot},
        privileges,
        processes::comm,
    },
};
pub(crate) use trial::{ITERATOR_KIND, MapsRefused, Trial, TriedHook};

/// What can come beside sock_ops, the best first: typed arguments, then any function, then what no kernel refuses.
const PROBES: [HookSet; 3] = [
    HookSet { sockops: false, fentry: true, kprobe: false, tracepoint: false },
    HookSet { sockops: false, fentry: false, kprobe: true, tracepoint: false },
    HookSet { sockops: false, fentry: false, kprobe: false, tracepoint: true },
];

const ALL_OF_IPV4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);

/// Groups in the kernel at a time, without the overflow group.
const MAX_GROUPS: u32 = 10_000;

/// What the running kernel is like, as far as the programs must know.
struct KernelFacts {
    offsets: Offsets,
    /// Values of `enum iter_type`, and how the calling task can be read.
    switches: Switches,
    places: Places,
    /// By what names it knows what programs hang on.
    btf: Btf,
}

impl KernelFacts {
    fn read(source: &Source) -> anyhow::Result<Self> {
        let types = KernelTypes::read(source)?;
        let mut switches = Switches {
            has_typed_task: u32::from(has_typed_task()),
            has_task_regs: u32::from(types.has_task_regs()),
            ..Switches::default()
        };
        types.set_iter_types(&mut switches);
        let btf = Btf::parse(&types.of_places(), Endianness::default())?;
        Ok(Self { offsets: types.offsets()?, switches, places: types.places(), btf })
    }
}

/// Whether the helper is for sock_ops, to which it came last (`bpf_base_func_proto()`, kernel/bpf/helpers.c).
fn has_typed_task() -> bool {
    is_helper_supported(ProgramType::SockOps, BpfHelper::BPF_FUNC_get_current_task_btf).unwrap_or(false)
}

impl Kernel {
    /// Attaches what the plan asks for. Must be called within a tokio runtime.
    ///
    /// Fails with [`NotPermitted`] where privileges or the kernel do not allow it.
    pub(crate) fn attach(plan: &Plan) -> anyhow::Result<Self> {
        let started = Instant::now();
        let source = Source::read(plan.btf.as_deref())?;
        privileges::check(plan.hooks.is_some_and(|hooks| hooks.sockops))?;
        let loader = Loader::new(plan, &source)?;
        log::debug!("type information read after {:?}", started.elapsed());
        let mut kernel = match plan.hooks {
            Some(hooks) => loader.load_chosen(hooks)?,
            None => loader.load_best()?,
        };
        for remark in &kernel.remarks {
            log::info!("not taken: {remark}");
        }
        log::info!("attached {} after {:?}", kernel.hooks, started.elapsed());
        privileges::give_up(|| kernel.is_readable())?;
        Ok(kernel)
    }
}

/// Everything that a load needs, whichever hooks it takes.
pub(crate) struct Loader<'a> {
    plan: &'a Plan,
    facts: KernelFacts,
}

/// Maps that are created, and programs that are not attached yet.
struct Prepared {
    switches: Switches,
    ebpf: Ebpf,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(plan: &'a Plan, source: &Source) -> anyhow::Result<Self> {
        Ok(Self { plan, facts: KernelFacts::read(source)? })
    }

    fn load_chosen(&self, set: HookSet) -> anyhow::Result<Kernel> {
        let root = set.sockops.then(cgroup::open_root).transpose();
        let root = root.map_err(|why| NotPermitted(format!("sockops is not possible: {why}")))?;
        self.load(set, root.as_ref(), &mut None)
    }

    /// sock_ops if it can be had, and the best of the others that loads.
    pub(crate) fn load_best(&self) -> anyhow::Result<Kernel> {
        let root =
            if privileges::has_net_admin() { cgroup::open_root() } else { Err("CAP_NET_ADMIN is missing".into()) };
        let mut remarks = Vec::new();
        let root = root.inspect_err(|why| remarks.push(format!("sockops: {why}"))).ok();
        let mut sets: Vec<_> = PROBES.map(|probe| HookSet { sockops: root.is_some(), ..probe }).into();
        if root.is_some() {
            sets.extend(PROBES);
        }
        let mut prepared = None;
        let mut last = None;
        for set in sets {
            match self.load(set, root.as_ref().filter(|_| set.sockops), &mut prepared) {
                Ok(mut kernel) => {
                    kernel.remarks = remarks;
                    return Ok(kernel);
                }
                Err(error) => {
                    remarks.push(format!("{set}: {error:#}"));
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| anyhow!("no set of hooks to try")))
    }

    /// `prepared`: what an attempt that failed before it had attached anything has left. Its maps need not be created
    /// again, and its programs not be loaded, as far as they are the same.
    fn load(&self, set: HookSet, root: Option<&CgroupRoot>, prepared: &mut Option<Prepared>) -> anyhow::Result<Kernel> {
        let places = self.facts.places;
        let switches = self.switches(set);
        let mut ebpf = match prepared.take() {
            Some(prepared) if prepared.switches == switches => prepared.ebpf,
            _ => self.create(switches)?,
        };
        if let Err(error) = hooks::load(&mut ebpf, &self.facts.btf, set, places) {
            *prepared = Some(Prepared { switches, ebpf });
            return Err(refused(&error).into());
        }
        let links = hooks::attach(&mut ebpf, set, places, root).map_err(|error| refused(&error))?;
        let log = self.plan.diagnostics.then(|| KernelLog::new(&mut ebpf)).transpose()?;
        let ring = readable(RingBuf::try_from(map(&mut ebpf, "EVENTS")?)?)?;
        let counters = Counters::new(
            HashMap::try_from(map(&mut ebpf, "GROUPS")?)?,
            Array::try_from(map(&mut ebpf, "COUNTERS")?)?,
            Queue::try_from(map(&mut ebpf, "FREE_SLOTS")?)?,
            HashMap::try_from(map(&mut ebpf, "CONNECTIONS")?)?,
            PerCpuArray::try_from(map(&mut ebpf, "LOSS")?)?,
        );
        let owners = HashMap::try_from(map(&mut ebpf, "OWNERS")?)?;
        let states = HashMap::try_from(map(&mut ebpf, "STATES")?)?;
        let mut inventory =
            Inventory::new(&mut ebpf, &self.facts.btf, owners, states).map_err(|error| refused(&error))?;
        inventory.take_over(&mut ebpf)?;
        Ok(Kernel {
            ebpf,
            inventory,
            links: Some(links),
            hooks: set,
            places,
            programs: Vec::new(),
            remarks: Vec::new(),
            ring,
            counters,
            log,
        })
    }

    fn switches(&self, set: HookSet) -> Switches {
        Switches {
            rows: u32::from(self.plan.rows),
            exchange_rows: u32::from(self.plan.exchange_rows),
            last_connect: last_connect(set) as u32,
            sees_sends: u32::from(hooks::sees_sends(set, self.facts.places)),
            ..self.facts.switches
        }
    }

    /// Creates the maps, with everything frozen in that the programs take as given.
    fn create(&self, switches: Switches) -> anyhow::Result<Ebpf> {
        let Self { plan, facts } = self;
        let filter = Wire(Filter {
            by_port: u32::from(!plan.ports.is_empty()),
            by_destination: u32::from(!plan.destinations.is_empty()),
            by_pid: u32::from(!plan.pids.is_empty()),
            by_process: u32::from(!plan.processes.is_empty()),
        });
        let switches = Wire(switches);
        let offsets = Wire(facts.offsets);
        let ports = port_bits(&plan.ports);
        let log_level = if plan.diagnostics { u8::MAX } else { 0 };
        let size = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
        let mut loader = EbpfLoader::new();
        loader
            .btf(Some(&facts.btf))
            .override_global("OFFSETS", &offsets, true)
            .override_global("FILTER", &filter, true)
            .override_global("SWITCHES", &switches, true)
            .override_global("PORTS", ports.as_slice(), true)
            .override_global(aya_log::LEVEL, &log_level, true)
            .map_max_entries("CONNECTIONS", plan.max_connections)
            .map_max_entries("GROUPS", MAX_GROUPS)
            .map_max_entries("COUNTERS", MAX_GROUPS + 1)
            .map_max_entries("FREE_SLOTS", MAX_GROUPS)
            .map_max_entries("EVENTS", plan.ring_bytes)
            .map_max_entries("OWNERS", MAX_OWNERS)
            .map_max_entries("STATES", MAX_STATES)
            .map_max_entries("DESTINATIONS", size(plan.destinations.len() + 1))
            .map_max_entries("PIDS", size(plan.pids.len()))
            .map_max_entries("PROCESSES", size(plan.processes.len()));
        let mut ebpf = loader
            .load(aya::include_bytes_aligned!(env!("BPF_OBJECT")))
            .context("cannot create the BPF maps (is the limit for locked memory, ulimit -l, too low?)")?;
        fill(&mut ebpf, plan)?;
        Ok(ebpf)
    }
}

/// The kernel said no to a program that it should have taken. What its verifier said is for the diagnostics.
fn refused(error: &anyhow::Error) -> NotPermitted {
    log::debug!("refused: {error:#}");
    let reason = match error.downcast_ref::<ProgramError>() {
        Some(ProgramError::LoadError { io_error, .. }) => format!("{error}: {io_error}"),
        _ => format!("{error:#}"),
    };
    NotPermitted(reason)
}

/// The last moment of a connect that a hook of the set sees.
fn last_connect(set: HookSet) -> Connect {
    if set.sockops {
        Connect::Callback
    } else if set.fentry || set.kprobe {
        Connect::Function
    } else {
        Connect::SynSent
    }
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
    let mut slots: Queue<_, u32> = Queue::try_from(map_mut(ebpf, "FREE_SLOTS")?)?;
    for slot in (0..=MAX_GROUPS).filter(|slot| *slot != OVERFLOW_SLOT) {
        slots.push(slot, 0)?;
    }
    let mut destinations: LpmTrie<_, [u8; 16], u8> = LpmTrie::try_from(map_mut(ebpf, "DESTINATIONS")?)?;
    // All of IPv4 lies within IPv6 here: a wide IPv6 network must not match it. The longest prefix decides.
    let (prefix, address) = mapped(&ALL_OF_IPV4.into());
    destinations.insert(&Key::new(prefix, address), 0, 0)?;
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
        processes.insert(comm(process.as_bytes()), 1, 0)?;
    }
    Ok(())
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
}
