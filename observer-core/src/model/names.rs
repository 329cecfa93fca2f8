//! Names of kernel-side values in JSON and for people. They are part of the JSON contract.

use std::net::IpAddr;

use compact_str::CompactString;

use super::{
    kernel_types::{Application, Cause, Failure, Why},
    sample::TIME_WAIT,
};

/// The netstat name of a TCP state (include/net/tcp_states.h).
pub fn state_name(state: u16) -> &'static str {
    match state {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        3 => "SYN_RECV",
        4 => "FIN_WAIT1",
        5 => "FIN_WAIT2",
        TIME_WAIT => "TIME_WAIT",
        7 => "CLOSE",
        8 => "CLOSE_WAIT",
        9 => "LAST_ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        _ => "UNKNOWN",
    }
}

/// Every [`Failure`] that has a name.
pub const FAILURES: [Failure; 7] = [
    Failure::Refused,
    Failure::TimedOut,
    Failure::HostUnreachable,
    Failure::NetworkUnreachable,
    Failure::Reset,
    Failure::AddressNotAvailable,
    Failure::Abandoned,
];

/// The name of a failed connect. `errno` distinguishes failures without a name of their own; `u32::MAX`: unknown.
pub fn failure_name(failure: Failure, errno: u32) -> String {
    match failure {
        Failure::Refused => "ECONNREFUSED".into(),
        Failure::TimedOut => "ETIMEDOUT".into(),
        Failure::HostUnreachable => "EHOSTUNREACH".into(),
        Failure::NetworkUnreachable => "ENETUNREACH".into(),
        Failure::Reset => "ECONNRESET".into(),
        Failure::AddressNotAvailable => "EADDRNOTAVAIL".into(),
        Failure::Abandoned => "abandoned".into(),
        Failure::Other if errno == u32::MAX => "unknown".into(),
        Failure::Other => format!("errno {errno}"),
    }
}

/// Every [`Why`].
pub const WHYS: [Why; 5] = [Why::First, Why::Concurrency, Why::Replaced, Why::MissedReuse, Why::Unknown];

/// Every [`Cause`] except `Unknown`.
pub const CAUSES: [Cause; 10] = [
    Cause::Unused,
    Cause::ProcessExit,
    Cause::ResetByPeer,
    Cause::UnreadResponse,
    Cause::Aborted,
    Cause::TimedOut,
    Cause::ClosedAfterResponse,
    Cause::ServerClosedAfterResponse,
    Cause::ClientIdle,
    Cause::ServerIdle,
];

/// Names of the lifetime buckets: the upper bound of each.
pub const LIFETIME_NAMES: [&str; tcp_reuse_watch_ebpf::LIFETIMES] =
    ["1ms", "10ms", "100ms", "1s", "10s", "1m", "10m", "1h", "longer"];

/// The name of the reason why a connection was opened.
pub fn why_name(why: Why) -> &'static str {
    match why {
        Why::First => "first",
        Why::Concurrency => "concurrency",
        Why::Replaced => "replaced",
        Why::MissedReuse => "missed-reuse",
        Why::Unknown => "unknown",
    }
}

/// The name of the reason why a connection closed.
pub fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Unknown => "unknown",
        Cause::Unused => "unused",
        Cause::ProcessExit => "process-exit",
        Cause::ResetByPeer => "reset-by-peer",
        Cause::UnreadResponse => "unread-response",
        Cause::Aborted => "aborted",
        Cause::TimedOut => "timed-out",
        Cause::ClosedAfterResponse => "closed-after-response",
        Cause::ServerClosedAfterResponse => "server-closed-after-response",
        Cause::ClientIdle => "client-idle",
        Cause::ServerIdle => "server-idle",
    }
}

/// The name of a signal, such as `SIGKILL` (asm-generic/signal.h, as on x86 and Arm), or its number where it has none.
pub fn signal_name(signal: i32) -> String {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    let index = usize::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
    match index.and_then(|index| NAMES.get(index)) {
        Some(name) => format!("SIG{name}"),
        None => signal.to_string(),
    }
}

/// The application with this name; `Unknown` if none has it.
pub fn application_by_name(name: &str) -> Application {
    let has_name = |application: &Application| application.name() == Some(name);
    Application::ALL.iter().copied().find(has_name).unwrap_or(Application::Unknown)
}

/// Converts an address from the kernel side's 16 bytes; mapped addresses become IPv4.
pub fn ip_address(bytes: [u8; 16]) -> IpAddr {
    IpAddr::from(bytes).to_canonical()
}

/// Converts a process name from its NUL-padded bytes; None if it is empty.
pub fn process_name(comm: [u8; 16]) -> Option<CompactString> {
    let end = comm.iter().position(|byte| *byte == 0).unwrap_or(comm.len());
    (end > 0).then(|| CompactString::from_utf8_lossy(&comm[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_their_names() {
        let names = [1, 9, 11, 15, 31].map(signal_name);
        assert_eq!(names, ["SIGHUP", "SIGKILL", "SIGSEGV", "SIGTERM", "SIGSYS"]);
        assert_eq!([0, -1, 34].map(signal_name), ["0", "-1", "34"]);
    }
}
