//! The notice of a watch that has to do without sock_ops.

use crate::{model::WatchInfo, tracker::Notice};

/// None if sock_ops is attached.
pub fn hook_notice(about: &WatchInfo) -> Option<Notice> {
    let why = about.why_without_sockops()?;
    let message = format!(
        "sockops is not attached: {why}. Tracepoints see the same connections, but the kernel may skip a tracepoint on a \
         busy machine; what is then missing makes 'complete' false"
    );
    Some(Notice { kind: "hooks", message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(hooks: &[&str], not_taken: &[&str]) -> Option<String> {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let about = WatchInfo { hooks: owned(hooks), hooks_not_taken: owned(not_taken), ..WatchInfo::default() };
        hook_notice(&about).map(|notice| notice.message)
    }

    #[test]
    fn reason_is_that_of_sockops() {
        assert_eq!(message(&["sockops", "kprobe"], &["sockops,fentry: refused"]), None);
        for (not_taken, reason) in [
            (&["sockops: cgroup v2 is not mounted: why", "fentry: refused"][..], ": cgroup v2 is not mounted: why. "),
            (&["sockops,fentry: refused", "sockops,kprobe: too"], ": refused. "),
            (&["fentry: refused"], ": --hooks leaves it out. "),
            (&[], ": --hooks leaves it out. "),
        ] {
            let message = message(&["kprobe"], not_taken).unwrap();
            assert!(message.contains(reason) && message.contains("'complete'"), "{message}");
        }
    }

    #[test]
    fn reason_is_bounded() {
        let refused = format!("sockops,fentry: {}", "é".repeat(10_000));
        assert!(message(&["kprobe"], &[&refused]).unwrap().len() < 1_000);
    }
}
