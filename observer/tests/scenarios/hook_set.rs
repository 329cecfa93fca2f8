//! What a hook set can observe on the running kernel. Everything else must be identical across hook sets.

/// The first kernel with the tracepoint `tcp_sendmsg_locked`.
const SEND_TRACEPOINT: (u32, u32) = (6, 16);

pub(crate) struct HookSet {
    /// The value of `--hooks`.
    pub(crate) name: String,
    /// The kernel never skips sock_ops, so every connect and every change of state is seen.
    pub(crate) has_sockops: bool,
    /// A hook sees the first bytes of a send, so protocols can be recognised.
    pub(crate) sees_sends: bool,
}

impl HookSet {
    pub(crate) fn parse(set: &str) -> Self {
        let has = |name: &str| set.split(',').any(|hook| hook == name);
        let sees_sends = has("fentry") || has("kprobe") || (has("tracepoint") && kernel() >= SEND_TRACEPOINT);
        Self { name: set.to_owned(), has_sockops: has("sockops"), sees_sends }
    }
}

/// Major and minor version of the running kernel; a version that cannot be parsed counts as 0.
fn kernel() -> (u32, u32) {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
