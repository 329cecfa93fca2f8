//! `--btf` with a copy of the kernel's own type information, and with damaged and foreign files.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{Ended, btf, tool, tool_as_nobody, world_readable_folder};

const WATCH: &str = "-p 1 -o none --duration 100ms";

fn kernel_btf() -> Vec<u8> {
    fs::read("/sys/kernel/btf/vmlinux").unwrap()
}

/// A world-readable file.
struct BtfFile {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn file_of(bytes: &[u8]) -> BtfFile {
    let folder = world_readable_folder();
    let path = folder.path().join("vmlinux.btf");
    fs::write(&path, bytes).unwrap();
    BtfFile { path, _folder: folder }
}

/// Asserts that the watch ends with `code` and one line that contains the file's path and `words`, and that doctor does
/// too if the code is 1.
fn assert_refused(path: &Path, code: i32, words: &[&str]) {
    let file = btf(path);
    let mut all = vec![tool(&format!("{WATCH} {file}"))];
    if code == 1 {
        all.push(tool(&format!("doctor {file}")));
    }
    for ended in all {
        assert_says(&ended, code, &[&[path.to_str().unwrap()], words].concat());
    }
}

fn assert_says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:?}");
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no {word:?} on stderr: {ended:?}");
    }
}

#[test]
fn copy_of_the_kernels_btf_is_accepted() {
    let file = file_of(&kernel_btf());
    let ended = tool(&format!("{WATCH} {}", btf(&file.path)));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = tool(&format!("doctor {}", btf(&file.path)));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("vmlinux.btf") && !ended.stdout.contains("not what this kernel shows"), "{ended:?}");
}

#[test]
fn truncated_file_is_refused() {
    let whole = kernel_btf();
    // A few lengths are enough: the unit tests cover all of them. These show that no other parser sees the file first.
    for length in [2, 23, 24, 25, 100, 64 << 10, whole.len() / 2, whole.len() - 1] {
        assert_refused(&file_of(&whole[..length]).path, 1, &["truncated"]);
    }
}

#[test]
fn file_that_is_not_btf_is_refused() {
    let mut swapped = kernel_btf();
    swapped.swap(0, 1);
    assert_refused(&file_of(&swapped).path, 1, &["byte order"]);
    assert_refused(&file_of(b"").path, 1, &["empty"]);
    assert_refused(&file_of(b"This is a text.\n").path, 1, &["no BTF"]);
    assert_refused(&file_of(&fs::read(crate::PROGRAM).unwrap()).path, 1, &["ELF", "objcopy"]);
    assert_refused(&file_of(&[&[0], random(100_000).as_slice()].concat()).path, 1, &["no BTF"]);
    // A valid header with garbage behind it.
    let mut garbled = kernel_btf();
    garbled[24..100_000].copy_from_slice(&random(100_000 - 24));
    assert_refused(&file_of(&garbled).path, 1, &["type"]);
}

fn random(length: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::open("/dev/urandom").unwrap().take(length).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn unprivileged_user_gets_the_same_error() {
    let file = file_of(b"This is a text.\n");
    for command in [WATCH, "doctor"] {
        let ended = tool_as_nobody(&format!("{command} {}", btf(&file.path)));
        assert_says(&ended, 1, &[file.path.to_str().unwrap(), "no BTF"]);
    }
}

#[test]
fn unreadable_file_is_refused() {
    assert_refused("/no/such/file".as_ref(), 1, &["No such file"]);
    assert_refused("/tmp".as_ref(), 1, &["directory"]);
    assert_refused("/dev/zero".as_ref(), 1, &["larger than"]);
}

#[test]
fn missing_kernel_fields_are_named() {
    let mut bytes = kernel_btf();
    for (name, other) in [(b"\0copied_seq\0".as_slice(), b"copied_sEq".as_slice()), (b"\0rcv_nxt\0", b"rcv_nXt")] {
        let at = bytes.windows(name.len()).position(|found| found == name).unwrap() + 1;
        bytes[at..at + other.len()].copy_from_slice(other);
    }
    let file = file_of(&bytes);
    assert_refused(&file.path, 4, &["tcp_sock.copied_seq", "tcp_sock.rcv_nxt", "no field"]);
    for ended in [tool(&format!("doctor {}", btf(&file.path))), tool_as_nobody(&format!("doctor {}", btf(&file.path)))]
    {
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!(ended.stdout.contains("tcp_sock.copied_seq") && ended.stdout.contains("would not run"), "{ended:?}");
    }
}
