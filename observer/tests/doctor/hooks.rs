//! `--hooks` with what a kernel may not have.

use crate::{Ended, tool};

/// That it ran, where the kernel has it, or was refused with exit code 4 and one line that says `words`.
fn assert_runs_or_says(ended: &Ended, words: &[&str]) {
    if ended.code == Some(0) {
        return;
    }
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{ended:?}");
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not said: {ended:?}");
    }
}

#[test]
fn a_kernel_without_kprobes() {
    for hooks in ["kprobe", "sockops,kprobe"] {
        let ended = tool(&format!("-p 1 -o none --duration 100ms --hooks {hooks}"));
        assert_runs_or_says(&ended, &["this kernel is built without kprobes", "CONFIG_KPROBES"]);
    }
}

#[test]
fn a_kernel_that_refuses_fentry() {
    for hooks in ["fentry", "sockops,fentry"] {
        let ended = tool(&format!("-p 1 -o none --duration 100ms --hooks {hooks}"));
        assert_runs_or_says(&ended, &["fentry of tcp_", "refused: "]);
    }
}
