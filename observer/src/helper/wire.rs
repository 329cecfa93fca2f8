//! What goes to the helper and back: records of fixed size, whose bytes never leave this machine.

use observer_core::runtime::{GoVersion, Process, Runtime};

/// When the process started, in two halves, its number, and its name, in four parts.
type Question = [u32; 7];
/// The question, then which runtime it is, how many numbers its version has, and these, three at most. The rest is 0.
type Answer = [u32; 16];

pub(super) const QUESTION: usize = size_of::<Question>();
pub(super) const ANSWER: usize = size_of::<Answer>();

pub(super) fn question(process: Process) -> [u8; QUESTION] {
    bytemuck::cast(words(process))
}

pub(super) fn parse_question(bytes: [u8; QUESTION]) -> Process {
    process(bytemuck::cast(bytes))
}

fn words(Process { pid, start_ticks, comm }: Process) -> Question {
    let [a, b, c, d]: [u32; 4] = bytemuck::cast(comm);
    [(start_ticks >> 32) as u32, start_ticks as u32, pid, a, b, c, d]
}

fn process([high, low, pid, name @ ..]: Question) -> Process {
    Process { pid, start_ticks: u64::from(high) << 32 | u64::from(low), comm: bytemuck::cast(name) }
}

/// None: no answer can be had.
pub(super) fn answer(process: Process, runtime: Option<Runtime>) -> [u8; ANSWER] {
    let (kind, version) = match runtime {
        Some(Runtime::Go(version)) => (Some(Runtime::Go(None)), version),
        other => (other, None),
    };
    let number = Runtime::ALL.iter().position(|(runtime, _)| Some(*runtime) == kind).map_or(0, |at| at as u32 + 1);
    let (numbers, version) = match version {
        None => (0, [0; 3]),
        Some(GoVersion { major, minor, patch: None }) => (2, [major, minor, 0]),
        Some(GoVersion { major, minor, patch: Some(patch) }) => (3, [major, minor, patch]),
    };
    let [major, minor, patch] = version.map(u32::from);
    let mut answer: Answer = [0; 16];
    answer[..7].copy_from_slice(&words(process));
    answer[7..12].copy_from_slice(&[number, numbers, major, minor, patch]);
    bytemuck::cast(answer)
}

pub(super) fn parse_answer(bytes: [u8; ANSWER]) -> (Process, Option<Runtime>) {
    let [high, low, pid, a, b, c, d, number, numbers, major, minor, patch, ..]: Answer = bytemuck::cast(bytes);
    let [major, minor, patch] = [major, minor, patch].map(|number| number as u16);
    let version = (numbers >= 2).then_some(GoVersion { major, minor, patch: (numbers == 3).then_some(patch) });
    let kind = (number as usize).checked_sub(1).and_then(|at| Runtime::ALL.get(at)).map(|(runtime, _)| *runtime);
    let runtime = match kind {
        Some(Runtime::Go(_)) => Some(Runtime::Go(version)),
        other => other,
    };
    (process([high, low, pid, a, b, c, d]), runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives() {
        let process = Process { pid: 4_194_304, start_ticks: u64::MAX - 7, comm: *b"fifteen-letters\0" };
        assert_eq!(parse_question(question(process)), process);
        let go = |patch| Some(Runtime::Go(Some(GoVersion { major: 1, minor: 19, patch })));
        let kinds = Runtime::ALL.map(|(runtime, _)| Some(runtime));
        let others = [None, go(None), go(Some(0)), go(Some(8))];
        for runtime in kinds.into_iter().chain(others) {
            assert_eq!(parse_answer(answer(process, runtime)), (process, runtime));
        }
    }

    #[test]
    fn an_unknown_answer_is_none() {
        assert_eq!(parse_answer([0xff; ANSWER]).1, None);
    }
}
