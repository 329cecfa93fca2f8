//! Requests that wait for their look-up. Each user has a share: users take turns, and when there is no room left, the one
//! with the most requests loses one. So a user who starts many processes with slow executables keeps nobody else waiting.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound::{Excluded, Unbounded},
};

use observer_core::runtime::Process;

/// The real user id of a process.
pub(super) type User = u32;

/// Requests that wait at the same time.
pub(super) const MAX_WAITING: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Oldest first. No list is empty.
    waiting: BTreeMap<User, VecDeque<Process>>,
    len: usize,
    /// Who had the last turn.
    last: Option<User>,
}

impl Queue {
    /// Adds a request. Returns the one that finds no room, if there is one: the newest of the user with the most.
    pub(super) fn add(&mut self, user: User, process: Process) -> Option<Process> {
        let most = |queue: &Self| queue.waiting.iter().max_by_key(|(_, waiting)| waiting.len()).map(|(user, _)| *user);
        self.waiting.entry(user).or_default().push_back(process);
        self.len += 1;
        if self.len <= MAX_WAITING {
            return None;
        }
        most(self).and_then(|most| self.take(most, VecDeque::pop_back))
    }

    /// Takes the oldest request of the user whose turn it is, among those who may have one.
    pub(super) fn next(&mut self, may: impl Fn(User) -> bool) -> Option<(User, Process)> {
        let after = self.last.map_or(Unbounded, Excluded);
        let in_turn = self.waiting.range((after, Unbounded)).chain(&self.waiting).map(|(user, _)| *user);
        let user = in_turn.into_iter().find(|user| may(*user))?;
        self.last = Some(user);
        Some((user, self.take(user, VecDeque::pop_front)?))
    }

    fn take(&mut self, user: User, take: fn(&mut VecDeque<Process>) -> Option<Process>) -> Option<Process> {
        let waiting = self.waiting.get_mut(&user)?;
        let process = take(waiting);
        if waiting.is_empty() {
            self.waiting.remove(&user);
        }
        self.len -= usize::from(process.is_some());
        process
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32) -> Process {
        Process { pid, start_ticks: 7, comm: [0; 16] }
    }

    fn queue(requests: &[(User, u32)]) -> Queue {
        let mut queue = Queue::default();
        for (user, pid) in requests {
            assert_eq!(queue.add(*user, process(*pid)), None);
        }
        queue
    }

    fn drain(mut queue: Queue) -> Vec<(User, u32)> {
        std::iter::from_fn(|| queue.next(|_| true)).map(|(user, process)| (user, process.pid)).collect()
    }

    #[test]
    fn users_take_turns_and_their_requests_keep_their_order() {
        let queue = queue(&[(5, 1), (5, 2), (5, 3), (0, 4), (9, 5), (0, 6)]);
        assert_eq!(drain(queue), [(0, 4), (5, 1), (9, 5), (0, 6), (5, 2), (5, 3)]);
    }

    #[test]
    fn user_who_may_have_no_turn_is_passed_over() {
        let mut queue = queue(&[(5, 1), (9, 2)]);
        assert_eq!(queue.next(|user| user != 5), Some((9, process(2))));
        assert_eq!(queue.next(|user| user != 5), None);
        assert_eq!(queue.next(|_| true), Some((5, process(1))));
        assert_eq!((queue.next(|_| true), queue.len), (None, 0));
    }

    #[test]
    fn user_with_the_most_requests_loses_its_newest_when_there_is_no_room() {
        let last = u32::try_from(MAX_WAITING).unwrap();
        let mut queue = queue(&(1..=last).map(|pid| (5, pid)).collect::<Vec<_>>());
        assert_eq!(queue.add(5, process(last + 1)), Some(process(last + 1)));
        assert_eq!(queue.add(9, process(1_000)), Some(process(last)));
        assert_eq!(queue.add(9, process(1_001)), Some(process(last - 1)));
        assert_eq!(queue.len, MAX_WAITING);
        let turns = drain(queue);
        assert_eq!(turns[..4], [(5, 1), (9, 1_000), (5, 2), (9, 1_001)]);
        assert_eq!(turns.len(), MAX_WAITING);
    }
}
