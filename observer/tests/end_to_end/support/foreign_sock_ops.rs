//! Another program's sock_ops program, such as a service mesh or a bandwidth manager attaches. It asks for callbacks of
//! its own, and overwrites those that others have asked for: `bpf_sock_ops_cb_flags_set()` sets all of them.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
    path::Path,
};

// Commands of bpf(2), and types of maps, programs and attachments (include/uapi/linux/bpf.h).
const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP: libc::c_int = 1;
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const ARRAY: u32 = 2;
const SOCK_OPS: u32 = 13;
const CGROUP_SOCK_OPS: u32 = 3;

/// When the program runs: at the connect, or when the connection is established.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    Connect = 3,
    Established = 4,
}

/// The callback that a watch asks for: changes of state.
const STATE_FLAG: i32 = 4;
/// The callback that the program asks for: retransmission timeouts.
const ITS_OWN_FLAG: i32 = 1;

/// Attached until it is dropped.
pub(crate) struct ForeignSockOps {
    /// An array with one number.
    taken: OwnedFd,
    _link: OwnedFd,
}

impl ForeignSockOps {
    /// Attaches to a cgroup. From this moment on, connections to this port have no callback but its own.
    pub(crate) fn attach(cgroup: &Path, port: u16, moment: Moment) -> Self {
        // Type, and sizes of key and value, and one entry.
        let taken = descriptor(MAP_CREATE, &[ARRAY, 4, 8, 1]).expect("cannot create a map");
        let code = program(port, moment, &taken);
        let program = load(&code).expect("cannot load the foreign program");
        let folder = File::open(cgroup).unwrap_or_else(|error| panic!("cannot open {}: {error}", cgroup.display()));
        // Program, target, attach type, flags.
        let link = [number(&program), folder.as_raw_fd().cast_unsigned(), CGROUP_SOCK_OPS, 0];
        Self { taken, _link: descriptor(LINK_CREATE, &link).expect("cannot attach the foreign program") }
    }

    /// How often it has taken the callback for changes of state from someone.
    pub(crate) fn taken(&self) -> u64 {
        #[repr(C)]
        struct Lookup {
            map: u64,
            key: u64,
            value: u64,
            flags: u64,
        }
        let (key, mut taken) = (0_u32, 0_u64);
        let map = u64::from(number(&self.taken));
        let lookup = Lookup { map, key: (&raw const key) as u64, value: (&raw mut taken) as u64, flags: 0 };
        call(MAP_LOOKUP, &lookup).expect("cannot read the map");
        taken
    }
}

fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// `struct bpf_insn`: code, registers (source in the upper half), offset, immediate.
fn instruction(code: u8, registers: u8, offset: i16, immediate: i32) -> u64 {
    let [low, high] = offset.to_le_bytes();
    let [a, b, c, d] = immediate.to_le_bytes();
    u64::from_ne_bytes([code, registers, low, high, a, b, c, d])
}

/// ```text
/// if (ctx->remote_port == port && ctx->op == moment) {
///     if (ctx->bpf_sock_ops_cb_flags & STATE_FLAG) taken[0]++;
///     bpf_sock_ops_cb_flags_set(ctx, ITS_OWN_FLAG);
/// }
/// return 1;
/// ```
fn program(port: u16, moment: Moment, taken: &OwnedFd) -> [u64; 24] {
    // Offsets in `struct bpf_sock_ops`.
    const OP: i16 = 0;
    const REMOTE_PORT: i16 = 64;
    const CB_FLAGS: i16 = 84;
    const MAP_LOOKUP_ELEM: i32 = 1;
    const SOCK_OPS_CB_FLAGS_SET: i32 = 59;
    // The port is in network byte order, in the upper half of the word on little-endian machines.
    let port = u32::from(port).to_be().cast_signed();
    [
        instruction(0xbf, 0x16, 0, 0), // r6 = ctx
        instruction(0x61, 0x62, REMOTE_PORT, 0),
        instruction(0x56, 0x02, 19, port), // if w2 != port goto the end
        instruction(0x61, 0x62, OP, 0),
        instruction(0x55, 0x02, 17, moment as i32), // if r2 != moment goto the end
        instruction(0x61, 0x62, CB_FLAGS, 0),
        instruction(0x57, 0x02, 0, STATE_FLAG),
        instruction(0x15, 0x02, 11, 0), // if r2 == 0 goto set
        instruction(0xb7, 0x01, 0, 0),  // *(u64 *)(r10 - 8) = 0
        instruction(0x7b, 0x1a, -8, 0),
        instruction(0xbf, 0xa2, 0, 0), // r2 = r10 - 8
        instruction(0x07, 0x02, 0, -8),
        instruction(0x18, 0x11, 0, taken.as_raw_fd()), // r1 = taken
        instruction(0, 0, 0, 0),
        instruction(0x85, 0, 0, MAP_LOOKUP_ELEM),
        instruction(0x15, 0x00, 3, 0), // if r0 == 0 goto set
        instruction(0xb7, 0x01, 0, 1),
        instruction(0xdb, 0x10, 0, 0), // lock *(u64 *)r0 += 1
        instruction(0xb7, 0x00, 0, 0),
        instruction(0xbf, 0x61, 0, 0), // set: r1 = ctx
        instruction(0xb7, 0x02, 0, ITS_OWN_FLAG),
        instruction(0x85, 0, 0, SOCK_OPS_CB_FLAGS_SET),
        instruction(0xb7, 0x00, 0, 1), // the end: return 1
        instruction(0x95, 0, 0, 0),
    ]
}

fn load(code: &[u64]) -> io::Result<OwnedFd> {
    /// `union bpf_attr` of PROG_LOAD, as far as it is used.
    #[repr(C)]
    struct Load {
        kind: u32,
        instructions: u32,
        code: u64,
        license: u64,
        log: [u64; 2],
        version_and_flags: u64,
        name: [u8; 16],
        device: u32,
        attach_type: u32,
    }
    let load = Load {
        kind: SOCK_OPS,
        instructions: code.len() as u32,
        code: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log: [0; 2],
        version_and_flags: 0,
        name: *b"foreign_sockops\0",
        device: 0,
        attach_type: CGROUP_SOCK_OPS,
    };
    descriptor(PROG_LOAD, &load)
}

/// A command that makes a descriptor.
fn descriptor<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let fd = call(command, attributes)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<RawFd> {
    // SAFETY: the attributes are a prefix of `union bpf_attr`, and what they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    RawFd::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(io::Error::last_os_error)
}
