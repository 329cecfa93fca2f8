//! Loads and attaches what a [`WatchConfig`] asks for: freezes the constants, sizes the maps, and picks the best set of
//! hooks that loads.

use std::{net::Ipv4Addr, time::Instant};

use anyhow::anyhow;
use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader, Endianness,
    maps::{Array, HashMap, LpmTrie, MapError, PerCpuArray, Queue, RingBuf, lpm_trie::Key},
    programs::{ProgramError, ProgramType},
    sys::{BpfHelper, is_helper_supported},
};
use ipnet::Ipv4Net;
use rustix::{io::Errno, param::page_size};
use tcp_reuse_watch_ebpf::{ABSENT, Connect, Filter, OVERFLOW_SLOT, Offsets, PORT_WORDS, STACK_BYTES, Switches};

use super::{
    attach::{self, Links},
    attached::Kernel,
    btf::Source,
    config::WatchConfig,
    counter_maps::{CounterMaps, Maps},
    hooks::{self, HookSet, OptionalPoints},
    inventory::{Inventory, max_owners, max_states},
    kernel_log::KernelLog,
    lineage::{Lineage, MAX_FOLLOWED},
    offsets::KernelTypes,
    pod::{Wire, mapped},
    program_stats::ProgramStats,
    slots::{MAX_GROUPS, MAX_HOLDERS, PROCESS_SHARE, USER_SHARE},
};
use crate::{
    exit::NotPermitted,
    host::{
        async_fd::readable,
        cgroup::{self, CgroupRoot},
        privileges,
        processes::comm,
    },
};

/// The sets that may accompany sock_ops, best first: fentry has typed arguments, kprobes attach to any function, and
/// every kernel with the tracepoint accepts it.
const PROBES: [HookSet; 3] = [
    HookSet { sockops: false, fentry: true, kprobe: false, tracepoint: false },
    HookSet { sockops: false, fentry: false, kprobe: true, tracepoint: false },
    HookSet { sockops: false, fentry: false, kprobe: false, tracepoint: true },
];

const ALL_OF_IPV4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);

/// Facts about the running kernel that the programs depend on.
pub(super) struct KernelFacts {
    offsets: Offsets,
    /// With the values of `enum iter_type`, and the way to read the calling task.
    switches: Switches,
    pub(super) points: OptionalPoints,
    /// The type information of the attach points only.
    pub(super) btf: Btf,
}

impl KernelFacts {
    fn read(source: &Source, lineage: bool) -> anyhow::Result<Self> {
        let types = KernelTypes::read(source)?;
        let mut switches = Switches {
            has_typed_task: u32::from(has_typed_task()),
            has_task_regs: u32::from(types.has_task_regs()),
            ..Switches::default()
        };
        types.set_iter_types(&mut switches);
        let btf = Btf::parse(&types.attach_point_btf(), Endianness::default())?;
        let mut offsets = types.offsets()?;
        // A stack is a page at least, so its end is elsewhere then.
        if page_size() as u64 > STACK_BYTES {
            offsets.regs_last = ABSENT;
        }
        Ok(Self { offsets, switches, points: types.optional_points(lineage), btf })
    }
}

/// Whether sock_ops programs may call `bpf_get_current_task_btf`. sock_ops was the last program type to get it
/// (`bpf_base_func_proto()`, kernel/bpf/helpers.c).
fn has_typed_task() -> bool {
    is_helper_supported(ProgramType::SockOps, BpfHelper::BPF_FUNC_get_current_task_btf).unwrap_or(false)
}

impl Kernel {
    /// Attaches what `config` asks for. Must be called within a tokio runtime.
    ///
    /// Fails with [`NotPermitted`] if the privileges or the kernel do not allow it.
    pub(crate) fn attach(config: &WatchConfig) -> anyhow::Result<Self> {
        let started = Instant::now();
        let source = Source::read(config.btf.as_deref())?;
        privileges::check(config.hooks.is_some_and(|hooks| hooks.sockops))?;
        let loader = Loader::new(config, &source)?;
        log::debug!("type information read after {:?}", started.elapsed());
        let kernel = match config.hooks {
            Some(hooks) => loader.load_chosen(hooks)?,
            None => loader.load_best()?,
        };
        for remark in &kernel.remarks {
            log::info!("not attached: {remark}");
        }
        log::info!("attached {} after {:?}", kernel.hooks, started.elapsed());
        Ok(kernel)
    }
}

/// The inputs for loading any set of hooks.
pub(crate) struct Loader<'a> {
    config: &'a WatchConfig,
    pub(super) facts: KernelFacts,
}

/// Created maps, and programs that are not attached yet.
struct Prepared {
    switches: Switches,
    ebpf: Ebpf,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(config: &'a WatchConfig, source: &Source) -> anyhow::Result<Self> {
        Ok(Self { config, facts: KernelFacts::read(source, config.with_children)? })
    }

    fn load_chosen(&self, set: HookSet) -> anyhow::Result<Kernel> {
        let root = set.sockops.then(cgroup::open_root).transpose();
        let root = root.map_err(|why| NotPermitted(format!("sockops is not possible: {why}")))?;
        self.load(set, root.as_ref(), &mut None)
    }

    /// Attaches sock_ops if possible, and the best of the other hooks that loads.
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

    /// `prepared` carries the maps and the loaded programs of an attempt that failed before it attached anything. The
    /// next attempt reuses them if its switches are the same.
    fn load(&self, set: HookSet, root: Option<&CgroupRoot>, prepared: &mut Option<Prepared>) -> anyhow::Result<Kernel> {
        let points = self.facts.points;
        let switches = self.switches(set);
        let mut ebpf = match prepared.take() {
            Some(prepared) if prepared.switches == switches => prepared.ebpf,
            _ => self.create_maps(switches)?,
        };
        if let Err(error) = attach::load(&mut ebpf, &self.facts.btf, set, points) {
            *prepared = Some(Prepared { switches, ebpf });
            return Err(refusal(&error).into());
        }
        let mut links = Links::default();
        if let Err(error) = links.attach(&mut ebpf, set, points, root) {
            if links.is_empty() {
                *prepared = Some(Prepared { switches, ebpf });
            }
            return Err(refusal(&error).into());
        }
        let log = self.config.diagnostics.then(|| KernelLog::new(&mut ebpf)).transpose()?;
        let ring = readable(RingBuf::try_from(take_map(&mut ebpf, "EVENTS")?)?)?;
        let counters = CounterMaps::new(Maps {
            groups: HashMap::try_from(take_map(&mut ebpf, "GROUPS")?)?,
            values: Array::try_from(take_map(&mut ebpf, "COUNTERS")?)?,
            free_slots: Queue::try_from(take_map(&mut ebpf, "FREE_SLOTS")?)?,
            slots_taken: HashMap::try_from(take_map(&mut ebpf, "SLOTS_TAKEN")?)?,
            slots_returned: HashMap::try_from(take_map(&mut ebpf, "SLOTS_RETURNED")?)?,
            connections: HashMap::try_from(take_map(&mut ebpf, "CONNECTIONS")?)?,
            loss: PerCpuArray::try_from(take_map(&mut ebpf, "LOSS")?)?,
        });
        let owners = HashMap::try_from(take_map(&mut ebpf, "OWNERS")?)?;
        let states = HashMap::try_from(take_map(&mut ebpf, "STATES")?)?;
        let mut lineage = Lineage::new(HashMap::try_from(take_map(&mut ebpf, "FOLLOWED")?)?);
        if !self.config.pids.is_empty() {
            lineage.follow_running(&mut ebpf, &self.facts.btf, &self.config.pids).map_err(|error| refusal(&error))?;
        }
        let mut inventory =
            Inventory::new(&mut ebpf, &self.facts.btf, owners, states).map_err(|error| refusal(&error))?;
        inventory.adopt_pre_existing(&mut ebpf)?;
        Ok(Kernel {
            program_stats: ProgramStats::open(&ebpf, set, points),
            ebpf,
            inventory,
            lineage,
            links: Some(links),
            hooks: set,
            points,
            programs: Vec::new(),
            remarks: Vec::new(),
            ring,
            counters,
            log,
        })
    }

    pub(super) fn switches(&self, set: HookSet) -> Switches {
        Switches {
            rows: u32::from(self.config.rows),
            exchange_rows: u32::from(self.config.exchange_rows),
            last_connect: last_connect(set) as u32,
            sees_sends: u32::from(hooks::sees_sends(set, self.facts.points)),
            process_share: PROCESS_SHARE,
            user_share: USER_SHARE,
            ..self.facts.switches
        }
    }

    /// Creates the maps, and freezes the constants of the programs.
    pub(super) fn create_maps(&self, switches: Switches) -> anyhow::Result<Ebpf> {
        let Self { config, facts } = self;
        let filter = Wire(Filter {
            by_port: u32::from(!config.ports.is_empty()),
            by_destination: u32::from(!config.destinations.is_empty()),
            by_pid: u32::from(!config.pids.is_empty()),
            by_process: u32::from(!config.processes.is_empty()),
            with_children: u32::from(config.with_children),
        });
        let switches = Wire(switches);
        let offsets = Wire(facts.offsets);
        let ports = port_bits(&config.ports);
        let log_level = if config.diagnostics { u8::MAX } else { 0 };
        let size = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
        let mut loader = EbpfLoader::new();
        loader
            .btf(Some(&facts.btf))
            .override_global("OFFSETS", &offsets, true)
            .override_global("FILTER", &filter, true)
            .override_global("SWITCHES", &switches, true)
            .override_global("PORTS", ports.as_slice(), true)
            .override_global(aya_log::LEVEL, &log_level, true)
            .map_max_entries("CONNECTIONS", config.max_connections)
            .map_max_entries("GROUPS", MAX_GROUPS)
            .map_max_entries("COUNTERS", MAX_GROUPS + 1)
            .map_max_entries("FREE_SLOTS", MAX_GROUPS)
            .map_max_entries("SLOTS_TAKEN", MAX_HOLDERS)
            .map_max_entries("SLOTS_RETURNED", MAX_HOLDERS)
            .map_max_entries("EVENTS", config.ring_bytes)
            .map_max_entries("OWNERS", max_owners(config.max_connections))
            .map_max_entries("STATES", max_states(config.max_connections))
            .map_max_entries("DESTINATIONS", size(config.destinations.len() + 1))
            .map_max_entries("ROOTS", size(config.pids.len()))
            .map_max_entries("FOLLOWED", if config.with_children { MAX_FOLLOWED } else { size(config.pids.len()) })
            .map_max_entries("PROCESSES", size(config.processes.len()));
        let mut ebpf = loader.load(aya::include_bytes_aligned!(env!("BPF_OBJECT"))).map_err(no_maps)?;
        fill(&mut ebpf, config)?;
        Ok(ebpf)
    }
}

/// The error for maps that could not be created, with the limit that is in the way.
fn no_maps(error: EbpfError) -> anyhow::Error {
    let errno = match &error {
        EbpfError::MapError(MapError::CreateError { io_error, .. }) => Errno::from_io_error(io_error),
        _ => None,
    };
    let remedy = match errno {
        // Until 5.11 (`bpf_map_charge_memlock()`, kernel/bpf/syscall.c).
        Some(Errno::PERM) => " (is the limit of locked memory, ulimit -l, too low?)",
        Some(Errno::NOMEM) => " (raise the memory limit of this cgroup, or lower --max-connections)",
        Some(Errno::MFILE) => " (raise the limit of open files, ulimit -n)",
        _ => "",
    };
    anyhow::Error::new(error).context(format!("cannot create the BPF maps{remedy}"))
}

/// The error for a program that the kernel has refused. Only the diagnostics get the log of the verifier.
pub(super) fn refusal(error: &anyhow::Error) -> NotPermitted {
    log::debug!("refused: {error:#}");
    let reason = match error.downcast_ref::<ProgramError>() {
        Some(ProgramError::LoadError { io_error, .. }) => format!("{error}: {io_error}"),
        _ => format!("{error:#}"),
    };
    NotPermitted(reason)
}

/// The last stage of a connect that a hook of the set sees.
fn last_connect(set: HookSet) -> Connect {
    if set.sockops {
        Connect::Callback
    } else if set.fentry || set.kprobe {
        Connect::Function
    } else {
        Connect::SynSent
    }
}

/// A bitmap with one bit for each port.
fn port_bits(ranges: &[(u16, u16)]) -> Vec<u64> {
    let mut words = vec![0; PORT_WORDS];
    for (first, last) in ranges {
        for port in *first..=*last {
            words[usize::from(port >> 6)] |= 1 << (port & 63);
        }
    }
    words
}

/// Fills the maps that must be complete before the first connection.
fn fill(ebpf: &mut Ebpf, config: &WatchConfig) -> anyhow::Result<()> {
    let mut slots: Queue<_, u32> = Queue::try_from(map_mut(ebpf, "FREE_SLOTS")?)?;
    for slot in (0..=MAX_GROUPS).filter(|slot| *slot != OVERFLOW_SLOT) {
        slots.push(slot, 0)?;
    }
    let mut destinations: LpmTrie<_, [u8; 16], u8> = LpmTrie::try_from(map_mut(ebpf, "DESTINATIONS")?)?;
    // The map holds IPv4 within IPv6, so a wide IPv6 network would match IPv4 too. The longer prefix of this entry
    // wins.
    let (prefix, address) = mapped(&ALL_OF_IPV4.into());
    destinations.insert(&Key::new(prefix, address), 0, 0)?;
    for network in &config.destinations {
        let (prefix, address) = mapped(network);
        destinations.insert(&Key::new(prefix, address), 1, 0)?;
    }
    let mut roots: HashMap<_, u32, u8> = HashMap::try_from(map_mut(ebpf, "ROOTS")?)?;
    for pid in &config.pids {
        roots.insert(pid, 1, 0)?;
    }
    let mut processes: HashMap<_, [u8; 16], u8> = HashMap::try_from(map_mut(ebpf, "PROCESSES")?)?;
    for process in &config.processes {
        processes.insert(comm(process.as_bytes()), 1, 0)?;
    }
    Ok(())
}

pub(super) fn take_map(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<aya::maps::Map> {
    ebpf.take_map(name).ok_or_else(|| anyhow!("the BPF object has no map {name}"))
}

fn map_mut<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut aya::maps::Map> {
    ebpf.map_mut(name).ok_or_else(|| anyhow!("the BPF object has no map {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges_set_one_bit_for_each_port() {
        let words = port_bits(&[(80, 80), (65_535, 65_535), (64, 66)]);
        assert_eq!(words[1], 1 << 16 | 0b111);
        assert_eq!(words[1023], 1 << 63);
        assert_eq!(words.iter().map(|word| word.count_ones()).sum::<u32>(), 5);
    }
}
