//! bpf(2) without a library: a few commands are enough, and a library would slow down every build of xtask.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, bail};

// enum bpf_cmd of include/uapi/linux/bpf.h
const MAP_GET_NEXT_KEY: i64 = 4;
const MAP_GET_FD_BY_ID: i64 = 14;
const OBJ_GET_INFO_BY_FD: i64 = 15;

/// More than any map of the tool has. A walk over a map that changes may begin anew now and then.
const MAX_ENTRIES: usize = 1_000_000;

/// Runs a command that returns a descriptor.
pub(crate) fn descriptor<T>(command: i64, attributes: &mut T) -> io::Result<OwnedFd> {
    let descriptor = call(command, attributes)?;
    // SAFETY: the descriptor is new and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn call<T>(command: i64, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the kernel reads and writes no more than the given size, and everything that the attributes point to
    // outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// What the kernel says of an object: `T` is the start of its `struct bpf_prog_info` or `struct bpf_map_info`.
pub(crate) fn info_of<T: Default>(object: &OwnedFd) -> io::Result<T> {
    #[repr(C)]
    struct Attributes {
        object: u32,
        bytes: u32,
        info: u64,
    }
    let mut info = T::default();
    let (object, bytes) = (object.as_raw_fd().cast_unsigned(), size_of::<T>() as u32);
    let mut attributes = Attributes { object, bytes, info: (&raw mut info) as u64 };
    call(OBJ_GET_INFO_BY_FD, &mut attributes)?;
    Ok(info)
}

/// What /proc shows of each descriptor of a process.
pub(crate) fn descriptors_of(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
}

/// The number of entries of a process's hash map.
pub(crate) fn entries_of(pid: u32, map: &str) -> Result<usize> {
    for info in descriptors_of(pid) {
        let id = info.lines().find_map(|line| line.strip_prefix("map_id:")?.trim().parse::<u32>().ok());
        if let Some(id) = id
            && let Some(entries) = entries(id, map).with_context(|| format!("cannot read the map {map}"))?
        {
            return Ok(entries);
        }
    }
    bail!("process {pid} has no map {map}")
}

/// None: the map has another name.
fn entries(id: u32, name: &str) -> io::Result<Option<usize>> {
    /// The start of `struct bpf_map_info`.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        kind: u32,
        id: u32,
        key_bytes: u32,
        value_bytes: u32,
        max_entries: u32,
        flags: u32,
        name: [u8; 16],
    }
    #[repr(C)]
    struct Attributes {
        map: u32,
        reserved: u32,
        key: u64,
        next_key: u64,
    }
    let map = descriptor(MAP_GET_FD_BY_ID, &mut [id, 0, 0])?;
    let info: Info = info_of(&map)?;
    if !info.name.starts_with(name.as_bytes()) || info.name.get(name.len()).is_some_and(|byte| *byte != 0) {
        return Ok(None);
    }
    let map = map.as_raw_fd().cast_unsigned();
    let (mut key, mut next_key) = (Vec::new(), vec![0_u8; info.key_bytes as usize]);
    for n in 0..MAX_ENTRIES {
        // Without a key, the kernel gives the first one.
        let last = if key.is_empty() { 0 } else { (&raw const key[0]) as u64 };
        let next = (&raw mut next_key[0]) as u64;
        match call(MAP_GET_NEXT_KEY, &mut Attributes { map, reserved: 0, key: last, next_key: next }) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(n)),
            ended => drop(ended?),
        }
        key.clone_from(&next_key);
    }
    Ok(Some(MAX_ENTRIES))
}
