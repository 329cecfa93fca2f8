//! The one who asks: never waits, keeps what it was told, and has a bound for everything.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io::{ErrorKind, Read as _, Write as _},
};

use super::{
    Helper,
    wire::{self, ANSWER},
};
use observer_core::runtime::{Process, Runtime};

/// Questions without an answer at a time.
const MOST_WAITING: usize = 64;

/// Answers that are kept; the oldest go.
const MOST_KNOWN: usize = 10_000;

/// Which runtime which process is, as far as it has been asked and answered. By default there is nobody to ask.
///
/// An answer holds for the process under the name by which it was asked for: a program that takes it over is asked for
/// by its own.
#[derive(Debug, Default)]
pub(crate) struct Runtimes {
    helper: Option<Helper>,
    waiting: HashSet<Process>,
    known: HashMap<Process, Option<Runtime>>,
    /// Those of `known`, as they came.
    order: VecDeque<Process>,
    /// What came of an answer that is not there as a whole.
    partial: Vec<u8>,
}

impl Runtimes {
    /// Starts the helper, if that is possible. Must be called before other threads are started and privileges given up.
    pub(crate) fn start() -> Self {
        let helper = Helper::start().inspect_err(|error| log::info!("runtimes stay unknown: {error:#}"));
        Self { helper: helper.ok(), ..Self::default() }
    }

    /// Asks, if it has not been asked, and there is room; if there is none, the same may be asked again later.
    pub(crate) fn ask(&mut self, process: Process) {
        if self.known.contains_key(&process) || self.waiting.contains(&process) || self.waiting.len() >= MOST_WAITING {
            return;
        }
        let Some(helper) = &mut self.helper else { return };
        match helper.socket.write(&wire::question(process)) {
            Ok(wire::QUESTION) => drop(self.waiting.insert(process)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            _ => self.lose(),
        }
    }

    /// Takes in what has been answered since. None: it cannot be told, or the process is gone.
    pub(crate) fn answers(&mut self) -> Vec<(Process, Option<Runtime>)> {
        let mut answers = Vec::new();
        self.receive();
        let whole = self.partial.len() / ANSWER * ANSWER;
        let bytes: Vec<u8> = self.partial.drain(..whole).collect();
        for record in bytes.as_chunks::<ANSWER>().0 {
            let (process, runtime) = wire::parse_answer(*record);
            if self.waiting.remove(&process) {
                self.learn(process, runtime);
                answers.push((process, runtime));
            }
        }
        answers
    }

    /// None: not known, or not yet.
    pub(crate) fn of(&self, process: Process) -> Option<Runtime> {
        self.known.get(&process).copied().flatten()
    }

    fn receive(&mut self) {
        let mut bytes = [0; MOST_WAITING * ANSWER];
        while let Some(helper) = &mut self.helper {
            match helper.socket.read(&mut bytes) {
                Ok(len @ 1..) => self.partial.extend(&bytes[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => self.lose(),
            }
        }
    }

    fn learn(&mut self, process: Process, runtime: Option<Runtime>) {
        if self.known.len() >= MOST_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(process, runtime);
        self.order.push_back(process);
    }

    /// The helper is gone: what is known stays known.
    fn lose(&mut self) {
        log::warn!("the helper that looks into processes is gone: further runtimes stay unknown");
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

    /// One who asks, and the other end.
    fn pair() -> (Runtimes, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Runtimes { helper: Some(Helper { pid: None, socket: ours }), ..Runtimes::default() }, theirs)
    }

    fn asked(helper: &mut UnixStream) -> Vec<Process> {
        let mut bytes = Vec::new();
        let _ = helper.read_to_end(&mut bytes);
        bytes.as_chunks().0.iter().copied().map(wire::parse_question).collect()
    }

    #[test]
    fn each_process_is_asked_for_once() {
        let (mut runtimes, mut helper) = pair();
        runtimes.ask(process(1));
        runtimes.ask(process(1));
        assert_eq!(asked(&mut helper), [process(1)]);
        assert_eq!((runtimes.of(process(1)), runtimes.answers().len()), (None, 0));
        helper.write_all(&wire::answer(process(1), Some(Runtime::Node))).unwrap();
        assert_eq!(runtimes.answers(), [(process(1), Some(Runtime::Node))]);
        runtimes.ask(process(1));
        assert_eq!(asked(&mut helper), []);
        assert_eq!((runtimes.of(process(1)), runtimes.of(process(2))), (Some(Runtime::Node), None));
    }

    #[test]
    fn an_answer_may_come_in_pieces_and_one_to_no_question_is_none() {
        let (mut runtimes, mut helper) = pair();
        runtimes.ask(process(1));
        helper.write_all(&wire::answer(process(9), Some(Runtime::Java))).unwrap();
        let answer = wire::answer(process(1), None);
        helper.write_all(&answer[..7]).unwrap();
        assert_eq!(runtimes.answers(), []);
        helper.write_all(&answer[7..]).unwrap();
        assert_eq!(runtimes.answers(), [(process(1), None)]);
        assert_eq!(runtimes.of(process(9)), None);
    }

    #[test]
    fn questions_and_answers_are_bounded() {
        let (mut runtimes, mut helper) = pair();
        let all = u32::try_from(MOST_KNOWN).unwrap() + 100;
        let mut next = 0;
        while next < all {
            (next..next + 100).for_each(|pid| runtimes.ask(process(pid)));
            let asked = asked(&mut helper);
            assert_eq!(asked.len(), MOST_WAITING);
            for process in asked {
                helper.write_all(&wire::answer(process, Some(Runtime::Unknown))).unwrap();
            }
            assert_eq!(runtimes.answers().len(), MOST_WAITING);
            next += u32::try_from(MOST_WAITING).unwrap();
        }
        assert_eq!((runtimes.known.len(), runtimes.order.len()), (MOST_KNOWN, MOST_KNOWN));
        assert_eq!(runtimes.of(process(0)), None, "the oldest went");
        assert_eq!(runtimes.of(process(all - 1)), Some(Runtime::Unknown));
    }

    #[test]
    fn a_helper_that_is_gone_is_not_asked() {
        let (mut runtimes, mut helper) = pair();
        runtimes.ask(process(1));
        helper.write_all(&wire::answer(process(1), Some(Runtime::Python))).unwrap();
        assert_eq!(asked(&mut helper), [process(1)]);
        drop(helper);
        assert_eq!(runtimes.answers().len(), 1, "its last answer counts");
        runtimes.ask(process(2));
        assert_eq!(runtimes.answers(), []);
        assert_eq!(runtimes.of(process(1)), Some(Runtime::Python));
    }

    #[test]
    fn without_a_helper_there_is_no_answer() {
        let mut runtimes = Runtimes::default();
        runtimes.ask(process(1));
        assert_eq!((runtimes.answers(), runtimes.of(process(1))), (vec![], None));
    }
}
