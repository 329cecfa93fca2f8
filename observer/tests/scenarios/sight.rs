//! What a hook set can see by nature, on the running kernel. Everything else has to be the same with all of them.

/// The first kernel with the tracepoint `tcp_sendmsg_locked`.
const SEND_TRACEPOINT: (u32, u32) = (6, 16);

pub(crate) struct Sight {
    /// The set, as `--hooks` takes it.
    pub(crate) set: String,
    /// Connects and changes of state are seen by a hook that the kernel does not skip.
    pub(crate) sockops: bool,
    /// The first bytes of a send are seen: TLS can be told.
    pub(crate) sends: bool,
}

impl Sight {
    pub(crate) fn of(set: &str) -> Self {
        let has = |name: &str| set.split(',').any(|hook| hook == name);
        let sends = has("fentry") || has("kprobe") || (has("tracepoint") && kernel() >= SEND_TRACEPOINT);
        Self { set: set.to_owned(), sockops: has("sockops"), sends }
    }
}

/// Major and minor version of the running kernel; what cannot be read is old.
fn kernel() -> (u32, u32) {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
