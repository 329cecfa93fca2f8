//! `--hooks` with hooks that a kernel may lack.

use crate::{Ended, tool};

/// Asserts that the watch ran, or that it was refused with exit code 4 and one line that contains `words`.
fn assert_runs_or_says(ended: &Ended, words: &[&str]) {
    if ended.code == Some(0) {
        return;
    }
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{ended:?}");
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no {word:?} on stderr: {ended:?}");
    }
}

#[test]
fn kprobes_attach_or_the_error_names_the_kernel_option() {
    for hooks in ["kprobe", "sockops,kprobe"] {
        let ended = tool(&format!("-p 1 -o none --duration 100ms --hooks {hooks}"));
        assert_runs_or_says(&ended, &["this kernel is built without kprobes", "CONFIG_KPROBES"]);
    }
}

#[test]
fn fentry_attaches_or_the_error_names_the_refusal() {
    for hooks in ["fentry", "sockops,fentry"] {
        let ended = tool(&format!("-p 1 -o none --duration 100ms --hooks {hooks}"));
        assert_runs_or_says(&ended, &["fentry of tcp_", "refused: "]);
    }
}
