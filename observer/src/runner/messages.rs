//! What this process and the runner tell each other: one byte to go on or for a signal, then the command's process id,
//! and at the end a report.

use std::io::Read;

/// Lets the command run. Any other byte is the number of a signal for it.
pub(super) const GO: u8 = 0;

pub(super) const PID_BYTES: usize = 4;

pub(super) const REPORT_BYTES: usize = 24;

/// A report begins with its kind, from this number on. No process has such an id.
const KINDS: u32 = 1 << 31;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) end: End,
    /// From its start to its end.
    pub(crate) wall_us: u64,
    /// Of it and its waited-for descendants.
    pub(crate) user_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// The error with which execve(2) failed.
    NotStarted(i32),
    /// The runner itself was killed.
    Unknown,
}

impl End {
    /// The exit code as a shell and env(1) give it. None if it is not known.
    pub(crate) fn exit_code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            Self::Killed(signal) => Some(128 + signal),
            Self::NotStarted(libc::ENOENT) => Some(127),
            Self::NotStarted(_) => Some(126),
            Self::Unknown => None,
        }
    }
}

/// The error of a report that comes in place of a process id: there is no process. None if these bytes are an id.
pub(super) fn refusal(first: [u8; PID_BYTES], rest: &mut impl Read) -> Option<i32> {
    if !(KINDS..).contains(&u32::from_ne_bytes(first)) {
        return None;
    }
    let mut bytes = [0; REPORT_BYTES];
    bytes[..PID_BYTES].copy_from_slice(&first);
    rest.read_exact(&mut bytes[PID_BYTES..]).ok()?;
    match Report::parse(&bytes)?.end {
        End::NotStarted(errno) => Some(errno),
        _ => Some(libc::ECHILD),
    }
}

impl Report {
    pub(super) const LOST: Self = Self { end: End::Unknown, wall_us: 0, user_us: 0 };

    pub(super) fn to_bytes(self) -> [u8; REPORT_BYTES] {
        let (kind, value) = match self.end {
            End::Exited(code) => (0, code),
            End::Killed(signal) => (1, signal),
            End::NotStarted(errno) => (2, errno),
            End::Unknown => (3, 0_i32),
        };
        let mut bytes = [0; REPORT_BYTES];
        bytes[..4].copy_from_slice(&u32::to_ne_bytes(KINDS + kind));
        bytes[4..8].copy_from_slice(&value.to_ne_bytes());
        bytes[8..16].copy_from_slice(&self.wall_us.to_ne_bytes());
        bytes[16..].copy_from_slice(&self.user_us.to_ne_bytes());
        bytes
    }

    /// None if it is not complete.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first_chunk()?;
        let (value, rest) = rest.split_first_chunk()?;
        let (wall_us, rest) = rest.split_first_chunk()?;
        let (user_us, _) = rest.split_first_chunk()?;
        let value = i32::from_ne_bytes(*value);
        let end = match u32::from_ne_bytes(*kind).checked_sub(KINDS) {
            Some(0) => End::Exited(value),
            Some(1) => End::Killed(value),
            Some(2) => End::NotStarted(value),
            _ => End::Unknown,
        };
        Some(Self { end, wall_us: u64::from_ne_bytes(*wall_us), user_us: u64::from_ne_bytes(*user_us) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_as_written() {
        for end in [End::Exited(3), End::Killed(9), End::NotStarted(libc::EACCES), End::Unknown] {
            let report = Report { end, wall_us: u64::MAX, user_us: 7 };
            assert_eq!(Report::parse(&report.to_bytes()), Some(report));
            assert_eq!(Report::parse(&report.to_bytes()[..REPORT_BYTES - 1]), None);
        }
    }

    #[test]
    fn report_in_place_of_a_process_id_is_told_from_one() {
        let report = Report { end: End::NotStarted(libc::EAGAIN), wall_us: 0, user_us: 0 }.to_bytes();
        let (first, mut rest) = report.split_first_chunk().map(|(first, rest)| (*first, rest)).unwrap();
        assert_eq!(refusal(first, &mut rest), Some(libc::EAGAIN));
        assert_eq!(refusal(4_194_304_u32.to_ne_bytes(), &mut &b""[..]), None);
    }

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        let ends = [End::Exited(1), End::Killed(9), End::NotStarted(libc::ENOENT), End::NotStarted(libc::EACCES)];
        assert_eq!(ends.map(End::exit_code), [Some(1), Some(137), Some(127), Some(126)]);
    }
}
