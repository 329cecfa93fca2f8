//! The helper's client. It never blocks, caches responses, and bounds everything that it keeps.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io::{ErrorKind, Read as _, Write as _},
    mem,
};

use super::{
    child::Child,
    messages::{self, Outcome, RESPONSE_BYTES, Response},
    queue::MAX_WAITING,
    serve::MAX_AT_ONCE,
};
use observer_core::{
    model::Lookups,
    runtime::{Process, Runtime},
};

/// Requests in flight. More than the helper keeps, so that the helper, which knows the users, decides whose have to wait;
/// and no more than responses fit into the socket, so that the helper never waits for this process.
const MAX_IN_FLIGHT: usize = 256;

const _: () = assert!(MAX_IN_FLIGHT > MAX_WAITING + MAX_AT_ONCE);

/// Cached responses. The oldest are evicted.
const MAX_KNOWN: usize = 10_000;

/// The runtimes of processes. The default has no helper, so every runtime stays unknown.
///
/// A response is valid for one process under one name. A process that executes another program gets another name, and
/// so another request.
#[derive(Debug, Default)]
pub(crate) struct Runtimes {
    helper: Option<Child>,
    in_flight: HashSet<Process>,
    known: HashMap<Process, Option<Runtime>>,
    /// The keys of `known`, oldest first.
    order: VecDeque<Process>,
    /// The start of a response that has not arrived completely.
    partial: Vec<u8>,
    has_just_died: bool,
    /// What has been learnt since the last call of [`Self::news`].
    news: Vec<(Process, Option<Runtime>)>,
    /// None without a helper.
    lookups: Option<Lookups>,
}

impl Runtimes {
    /// Starts the helper if possible. Must be called before other threads are started and privileges are dropped.
    pub(crate) fn start() -> Self {
        let helper = Child::start().inspect_err(|error| log::info!("runtimes stay unknown: {error:#}"));
        let lookups = helper.is_ok().then(Lookups::default);
        Self { helper: helper.ok(), lookups, ..Self::default() }
    }

    /// Requests the runtime of a process, unless it is known or requested already. Returns false if too many requests are
    /// in flight, so the caller may try again later.
    pub(crate) fn request(&mut self, process: Process) -> bool {
        if self.known.contains_key(&process) || self.in_flight.contains(&process) {
            return true;
        }
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            self.receive();
            if self.in_flight.len() >= MAX_IN_FLIGHT {
                return false;
            }
        }
        let Some(helper) = &mut self.helper else { return true };
        match helper.socket.write(&messages::encode_request(process)) {
            Ok(messages::REQUEST_BYTES) => drop(self.in_flight.insert(process)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return false,
            _ => self.lose_helper(),
        }
        true
    }

    /// Receives what has been learnt since the last call. None: the runtime cannot be determined, or the process has
    /// exited.
    pub(crate) fn news(&mut self) -> Vec<(Process, Option<Runtime>)> {
        self.receive();
        mem::take(&mut self.news)
    }

    /// Look-ups that came to nothing. None if none are made.
    pub(crate) fn lookups(&self) -> Option<Lookups> {
        self.lookups
    }

    /// Whether the helper was found dead since the last call.
    pub(crate) fn has_just_died(&mut self) -> bool {
        mem::take(&mut self.has_just_died)
    }

    /// None: unknown, or not known yet.
    pub(crate) fn get(&self, process: Process) -> Option<Runtime> {
        self.known.get(&process).copied().flatten()
    }

    fn receive(&mut self) {
        self.read();
        let complete = self.partial.len() / RESPONSE_BYTES * RESPONSE_BYTES;
        let bytes: Vec<u8> = self.partial.drain(..complete).collect();
        for record in bytes.as_chunks::<RESPONSE_BYTES>().0 {
            let Response { process, outcome, lookups } = messages::decode_response(*record);
            self.lookups = Some(lookups);
            if self.in_flight.remove(&process)
                && let Outcome::Told(runtime) = outcome
            {
                self.insert(process, runtime);
                self.news.push((process, runtime));
            }
        }
    }

    fn read(&mut self) {
        let mut bytes = [0; MAX_IN_FLIGHT * RESPONSE_BYTES];
        while let Some(helper) = &mut self.helper {
            match helper.socket.read(&mut bytes) {
                Ok(len @ 1..) => self.partial.extend(&bytes[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => self.lose_helper(),
            }
        }
    }

    fn insert(&mut self, process: Process, runtime: Option<Runtime>) {
        if self.known.len() >= MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(process, runtime);
        self.order.push_back(process);
    }

    /// Continues without the helper. Cached runtimes stay known.
    fn lose_helper(&mut self) {
        self.has_just_died = true;
        self.helper = None;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn process(pid: u32) -> Process {
        Process { pid, start_ticks: 7, comm: [0; 16] }
    }

    /// A client, and the helper's end of its socket.
    fn pair() -> (Runtimes, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Runtimes { helper: Some(Child { pid: None, socket: ours }), ..Runtimes::default() }, theirs)
    }

    fn told(process: Process, runtime: Option<Runtime>) -> [u8; RESPONSE_BYTES] {
        let response = Response { process, outcome: Outcome::Told(runtime), lookups: Lookups::default() };
        messages::encode_response(&response)
    }

    fn requests(helper: &mut UnixStream) -> Vec<Process> {
        let mut bytes = Vec::new();
        let _ = helper.read_to_end(&mut bytes);
        bytes.as_chunks().0.iter().copied().map(messages::decode_request).collect()
    }

    #[test]
    fn each_process_is_requested_once() {
        let (mut runtimes, mut helper) = pair();
        runtimes.request(process(1));
        runtimes.request(process(1));
        assert_eq!(requests(&mut helper), [process(1)]);
        assert_eq!((runtimes.get(process(1)), runtimes.news().len()), (None, 0));
        helper.write_all(&told(process(1), Some(Runtime::Node))).unwrap();
        assert_eq!(runtimes.news(), [(process(1), Some(Runtime::Node))]);
        runtimes.request(process(1));
        assert_eq!(requests(&mut helper), []);
        assert_eq!((runtimes.get(process(1)), runtimes.get(process(2))), (Some(Runtime::Node), None));
    }

    #[test]
    fn partial_and_unsolicited_responses_are_handled() {
        let (mut runtimes, mut helper) = pair();
        runtimes.request(process(1));
        helper.write_all(&told(process(9), Some(Runtime::Java))).unwrap();
        let response = told(process(1), None);
        helper.write_all(&response[..7]).unwrap();
        assert_eq!(runtimes.news(), []);
        helper.write_all(&response[7..]).unwrap();
        assert_eq!(runtimes.news(), [(process(1), None)]);
        assert_eq!(runtimes.get(process(9)), None);
    }

    #[test]
    fn requests_and_cached_responses_are_bounded() {
        let (mut runtimes, mut helper) = pair();
        let all = u32::try_from(MAX_KNOWN).unwrap() + 100;
        let mut next = 0;
        while next < all {
            let wanted = next..next + 300;
            assert_eq!(wanted.filter(|pid| runtimes.request(process(*pid))).count(), MAX_IN_FLIGHT);
            let requests = requests(&mut helper);
            assert_eq!(requests.len(), MAX_IN_FLIGHT);
            for process in requests {
                helper.write_all(&told(process, Some(Runtime::Unknown))).unwrap();
            }
            assert_eq!(runtimes.news().len(), MAX_IN_FLIGHT);
            next += u32::try_from(MAX_IN_FLIGHT).unwrap();
        }
        assert_eq!((runtimes.known.len(), runtimes.order.len()), (MAX_KNOWN, MAX_KNOWN));
        assert_eq!(runtimes.get(process(0)), None, "the oldest is evicted");
        assert_eq!(runtimes.get(process(all - 1)), Some(Runtime::Unknown));
    }

    #[test]
    fn process_that_found_no_room_is_requested_again() {
        let (mut runtimes, mut helper) = pair();
        runtimes.request(process(1));
        let lookups = Lookups { hung: 2, refused: 3 };
        let response = Response { process: process(1), outcome: Outcome::NotNow, lookups };
        assert_eq!(requests(&mut helper), [process(1)]);
        helper.write_all(&messages::encode_response(&response)).unwrap();
        assert_eq!((runtimes.news(), runtimes.lookups()), (vec![], Some(lookups)));
        runtimes.request(process(1));
        assert_eq!(requests(&mut helper), [process(1)]);
    }

    #[test]
    fn dead_helper_gets_no_requests() {
        let (mut runtimes, mut helper) = pair();
        runtimes.request(process(1));
        helper.write_all(&told(process(1), Some(Runtime::Python))).unwrap();
        assert_eq!(requests(&mut helper), [process(1)]);
        drop(helper);
        assert_eq!(runtimes.news().len(), 1, "its last response counts");
        runtimes.request(process(2));
        assert_eq!(runtimes.news(), []);
        assert_eq!(runtimes.get(process(1)), Some(Runtime::Python));
        assert_eq!([(); 2].map(|()| runtimes.has_just_died()), [true, false]);
    }

    #[test]
    fn without_a_helper_runtimes_stay_unknown() {
        let mut runtimes = Runtimes::default();
        runtimes.request(process(1));
        assert_eq!((runtimes.news(), runtimes.get(process(1))), (vec![], None));
    }
}
