//! `--btf` with the kernel's own type information, and with what is left of it when something is wrong.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{Ended, btf, folder_for_everybody, tool, tool_as_nobody};

const WATCH: &str = "-p 1 -o none --duration 100ms";

fn kernels() -> Vec<u8> {
    fs::read("/sys/kernel/btf/vmlinux").unwrap()
}

/// Bytes, as a file that everybody can read.
struct Given {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn given(bytes: &[u8]) -> Given {
    let folder = folder_for_everybody();
    let path = folder.path().join("vmlinux.btf");
    fs::write(&path, bytes).unwrap();
    Given { path, _folder: folder }
}

/// That the watch and doctor both end with `code` and one line that names the file and says `words`.
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
        assert!(ended.stderr.contains(word), "{word:?} is not said: {ended:?}");
    }
}

#[test]
fn a_copy_of_the_kernels_own_works() {
    let file = given(&kernels());
    let ended = tool(&format!("{WATCH} {}", btf(&file.path)));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = tool(&format!("doctor {}", btf(&file.path)));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("vmlinux.btf") && !ended.stdout.contains("not what this kernel shows"), "{ended:?}");
}

#[test]
fn it_ends_early() {
    let whole = kernels();
    // All of the lengths but few are the unit tests'; here it is shown that nothing else looks at the file first.
    for length in [2, 23, 24, 25, 100, 64 << 10, whole.len() / 2, whole.len() - 1] {
        assert_refused(&given(&whole[..length]).path, 1, &["truncated"]);
    }
}

#[test]
fn it_is_something_else() {
    let mut swapped = kernels();
    swapped.swap(0, 1);
    assert_refused(&given(&swapped).path, 1, &["byte order"]);
    assert_refused(&given(b"").path, 1, &["empty"]);
    assert_refused(&given(b"This is a text.\n").path, 1, &["no BTF"]);
    assert_refused(&given(&fs::read(crate::PROGRAM).unwrap()).path, 1, &["ELF", "objcopy"]);
    assert_refused(&given(&[&[0], random(100_000).as_slice()].concat()).path, 1, &["no BTF"]);
    // The header is right, the rest is not.
    let mut garbled = kernels();
    garbled[24..100_000].copy_from_slice(&random(100_000 - 24));
    assert_refused(&given(&garbled).path, 1, &["type"]);
}

fn random(length: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::open("/dev/urandom").unwrap().take(length).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn an_ordinary_user_is_told_as_well() {
    let file = given(b"This is a text.\n");
    for command in [WATCH, "doctor"] {
        let ended = tool_as_nobody(&format!("{command} {}", btf(&file.path)));
        assert_says(&ended, 1, &[file.path.to_str().unwrap(), "no BTF"]);
    }
}

#[test]
fn it_cannot_be_read() {
    assert_refused("/no/such/file".as_ref(), 1, &["No such file"]);
    assert_refused("/tmp".as_ref(), 1, &["directory"]);
    assert_refused("/dev/zero".as_ref(), 1, &["larger than"]);
}

#[test]
fn fields_that_are_missing_are_named() {
    let mut bytes = kernels();
    for (name, other) in [(b"\0copied_seq\0".as_slice(), b"copied_sEq".as_slice()), (b"\0rcv_nxt\0", b"rcv_nXt")] {
        let at = bytes.windows(name.len()).position(|found| found == name).unwrap() + 1;
        bytes[at..at + other.len()].copy_from_slice(other);
    }
    let file = given(&bytes);
    assert_refused(&file.path, 4, &["tcp_sock.copied_seq", "tcp_sock.rcv_nxt", "no field"]);
    for ended in [tool(&format!("doctor {}", btf(&file.path))), tool_as_nobody(&format!("doctor {}", btf(&file.path)))]
    {
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!(ended.stdout.contains("tcp_sock.copied_seq") && ended.stdout.contains("would not run"), "{ended:?}");
    }
}
