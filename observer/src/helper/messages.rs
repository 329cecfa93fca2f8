//! Requests to the helper and its responses: records of fixed size in native byte order.

use observer_core::runtime::{GoVersion, Process, Runtime};

/// The start time of a process in two halves, its id, and its name in four parts.
type Request = [u32; 7];
/// The request, the runtime, how many numbers its version has, and up to three such numbers. The rest is zero.
type Response = [u32; 16];

pub(super) const REQUEST_BYTES: usize = size_of::<Request>();
pub(super) const RESPONSE_BYTES: usize = size_of::<Response>();

pub(super) fn encode_request(process: Process) -> [u8; REQUEST_BYTES] {
    bytemuck::cast(words(process))
}

pub(super) fn decode_request(bytes: [u8; REQUEST_BYTES]) -> Process {
    process(bytemuck::cast(bytes))
}

fn words(Process { pid, start_ticks, comm }: Process) -> Request {
    let [a, b, c, d]: [u32; 4] = bytemuck::cast(comm);
    [(start_ticks >> 32) as u32, start_ticks as u32, pid, a, b, c, d]
}

fn process([high, low, pid, name @ ..]: Request) -> Process {
    Process { pid, start_ticks: u64::from(high) << 32 | u64::from(low), comm: bytemuck::cast(name) }
}

/// None: the runtime cannot be determined, or the process has exited.
pub(super) fn encode_response(process: Process, runtime: Option<Runtime>) -> [u8; RESPONSE_BYTES] {
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
    let mut response: Response = [0; 16];
    response[..7].copy_from_slice(&words(process));
    response[7..12].copy_from_slice(&[number, numbers, major, minor, patch]);
    bytemuck::cast(response)
}

pub(super) fn decode_response(bytes: [u8; RESPONSE_BYTES]) -> (Process, Option<Runtime>) {
    let [high, low, pid, a, b, c, d, number, numbers, major, minor, patch, ..]: Response = bytemuck::cast(bytes);
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
    fn requests_and_responses_round_trip() {
        let process = Process { pid: 4_194_304, start_ticks: u64::MAX - 7, comm: *b"fifteen-letters\0" };
        assert_eq!(decode_request(encode_request(process)), process);
        let go = |patch| Some(Runtime::Go(Some(GoVersion { major: 1, minor: 19, patch })));
        let kinds = Runtime::ALL.map(|(runtime, _)| Some(runtime));
        let others = [None, go(None), go(Some(0)), go(Some(8))];
        for runtime in kinds.into_iter().chain(others) {
            assert_eq!(decode_response(encode_response(process, runtime)), (process, runtime));
        }
    }

    #[test]
    fn invalid_response_decodes_to_no_runtime() {
        assert_eq!(decode_response([0xff; RESPONSE_BYTES]).1, None);
    }
}
