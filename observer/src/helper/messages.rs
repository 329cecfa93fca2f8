//! Requests to the helper and its responses: records of fixed size in native byte order.

use observer_core::{
    model::Lookups,
    runtime::{GoVersion, Process, Runtime},
};

/// The start time of a process in two halves, its id, and its name in four parts.
type Request = [u32; 7];
/// The number of a runtime, how many numbers its version has, and up to three such numbers.
type RuntimeRecord = [u32; 5];
/// The request, the runtime, the look-ups that hang and that were refused so far, and whether to ask again. The rest is
/// zero.
type ResponseRecord = [u32; 16];

pub(super) const REQUEST_BYTES: usize = size_of::<Request>();
pub(super) const RUNTIME_BYTES: usize = size_of::<RuntimeRecord>();
pub(super) const RESPONSE_BYTES: usize = size_of::<ResponseRecord>();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) process: Process,
    pub(super) outcome: Outcome,
    /// Since the helper was started.
    pub(super) lookups: Lookups,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// None: the runtime cannot be determined, or the process has exited.
    Told(Option<Runtime>),
    /// Too many requests wait. A later one may find room.
    NotNow,
}

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

pub(super) fn encode_runtime(runtime: Option<Runtime>) -> [u8; RUNTIME_BYTES] {
    bytemuck::cast(runtime_record(runtime))
}

pub(super) fn decode_runtime(bytes: [u8; RUNTIME_BYTES]) -> Option<Runtime> {
    runtime(bytemuck::cast(bytes))
}

fn runtime_record(runtime: Option<Runtime>) -> RuntimeRecord {
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
    [number, numbers, major, minor, patch]
}

fn runtime([number, numbers, major, minor, patch]: RuntimeRecord) -> Option<Runtime> {
    let [major, minor, patch] = [major, minor, patch].map(|number| number as u16);
    let version = (numbers >= 2).then_some(GoVersion { major, minor, patch: (numbers == 3).then_some(patch) });
    let kind = (number as usize).checked_sub(1).and_then(|at| Runtime::ALL.get(at)).map(|(runtime, _)| *runtime);
    match kind {
        Some(Runtime::Go(_)) => Some(Runtime::Go(version)),
        other => other,
    }
}

pub(super) fn encode_response(Response { process, outcome, lookups }: &Response) -> [u8; RESPONSE_BYTES] {
    let (runtime, is_later) = match outcome {
        Outcome::Told(runtime) => (*runtime, 0),
        Outcome::NotNow => (None, 1),
    };
    let [hung, refused] = [lookups.hung, lookups.refused].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let mut response: ResponseRecord = [0; 16];
    response[..7].copy_from_slice(&words(*process));
    response[7..12].copy_from_slice(&runtime_record(runtime));
    response[12..15].copy_from_slice(&[hung, refused, is_later]);
    bytemuck::cast(response)
}

pub(super) fn decode_response(bytes: [u8; RESPONSE_BYTES]) -> Response {
    let [high, low, pid, a, b, c, d, kind, numbers, major, minor, patch, hung, refused, is_later, _]: ResponseRecord =
        bytemuck::cast(bytes);
    let outcome =
        if is_later == 0 { Outcome::Told(runtime([kind, numbers, major, minor, patch])) } else { Outcome::NotNow };
    let lookups = Lookups { hung: hung.into(), refused: refused.into() };
    Response { process: process([high, low, pid, a, b, c, d]), outcome, lookups }
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
        let lookups = Lookups { hung: 3, refused: 5 };
        for runtime in kinds.into_iter().chain(others) {
            assert_eq!(decode_runtime(encode_runtime(runtime)), runtime);
            let response = Response { process, outcome: Outcome::Told(runtime), lookups };
            assert_eq!(decode_response(encode_response(&response)), response);
        }
        let response = Response { process, outcome: Outcome::NotNow, lookups };
        assert_eq!(decode_response(encode_response(&response)), response);
    }

    #[test]
    fn invalid_runtime_decodes_to_none() {
        assert_eq!(decode_runtime([0xff; RUNTIME_BYTES]), None);
    }
}
