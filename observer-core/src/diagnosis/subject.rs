//! The group that rules examine: its data, and the closes that a rule can rely on.

use super::{Confidence, Diagnosis, Evidence, FEW, Share};
use crate::{
    group::{ClosedConnection, Counts, GroupApplication, History, Spread},
    model::{Application, Cause, Why},
    runtime::Runtime,
};

/// With more exchanges than this for each connection that went wrong, a group is healthy.
const GOOD_RATIO: u64 = 20;

pub(super) type Predicate = fn(&ClosedConnection) -> bool;

#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub counts: &'a Counts,
    pub history: &'a History,
    pub runtime: Option<Runtime>,
    /// The number of processes, which share a name. None: unknown.
    pub processes: Option<u64>,
    pub spoken: GroupApplication,
}

/// The closes by one cause that a rule can rely on, and how sure it can be of what the connections carried.
#[derive(Clone, Copy)]
pub(super) struct Grounds {
    pub(super) confidence: Confidence,
    pub(super) closes: u64,
    all_closes: u64,
    cause: Cause,
    matches: Predicate,
}

impl Grounds {
    pub(super) fn share(&self) -> Share {
        Share { closes: self.closes, is_estimate: self.closes < self.all_closes }
    }

    /// The distribution of a number over the matching connections in the history.
    pub(super) fn spread(&self, subject: Subject<'_>, number: fn(&ClosedConnection) -> Option<u64>) -> Spread {
        subject.history.of(self.cause, |closed| number(closed).filter(|_| (self.matches)(closed)))
    }
}

impl Subject<'_> {
    pub(super) fn closes(self, cause: Cause) -> u64 {
        self.counts.closes[cause as usize]
    }

    pub(super) fn why(self, why: Why) -> u64 {
        self.counts.why[why as usize]
    }

    /// Whether this many connections that went wrong are enough for a diagnosis.
    pub(super) fn is_significant(self, connections: u64) -> bool {
        connections * GOOD_RATIO > self.counts.exchanges()
    }

    /// Whether nearly all connections were needed, so a pool would have saved next to nothing.
    pub(super) fn needed_all(self) -> bool {
        let pool = self.counts.pool;
        pool.is_exact() && pool.asked() > Some(0) && pool.avoidable() < Some(FEW)
    }

    /// Connections that replaced closed ones: opened beyond the number that was in use at once. Connections opened
    /// beside idle ones do not count.
    pub(super) fn replaced(self) -> u64 {
        let needed = self.why(Why::Replaced) + self.why(Why::Concurrency);
        needed.saturating_sub(self.history.most_busy.saturating_sub(1))
    }

    /// Like [`Self::replaced`], regardless of whether others were idle: a connection that is about to be closed looks idle
    /// after its last exchange. The first connection of each process replaces none.
    pub(super) fn reopened(self) -> u64 {
        (self.counts.opened - self.why(Why::First).min(self.counts.opened)).saturating_sub(self.history.most_beside)
    }

    /// Whether this process resets connections regardless of what it received: at least half as many as `connections`.
    /// HAProxy's checks do this, and the cause of their other closes is a matter of chance.
    pub(super) fn resets(self, connections: u64) -> bool {
        self.closes(Cause::Aborted) * 2 >= connections
    }

    /// Whether clients of this protocol say goodbye, so the server closes because it was asked to.
    pub(super) fn says_goodbye(self) -> bool {
        match self.spoken {
            GroupApplication::One(application) => has_a_goodbye(application),
            GroupApplication::Unknown => self.may_say_goodbye(),
            GroupApplication::Several => false,
        }
    }

    /// Whether an unknown protocol seems to say goodbye: connections carry several turns, and either side may close
    /// first, or they use TLS, inside which protocols with a login are not recognised.
    fn may_say_goodbye(self) -> bool {
        let by_server = |matches: Predicate| self.history.count(Cause::ServerClosedAfterResponse, matches);
        let turns = self
            .history
            .of(Cause::ServerClosedAfterResponse, |closed| (!closed.is_exact()).then(|| closed.exchanges()));
        let is_either = self.closes(Cause::ClosedAfterResponse) * 4 >= self.closes(Cause::ServerClosedAfterResponse);
        let is_encrypted = by_server(ClosedConnection::carried_encrypted_turns) * 2 > by_server(|_| true);
        turns.median().is_some_and(|turns| turns > 1) && (is_either || is_encrypted)
    }

    /// Whether each exchange of the connections is a request with its response.
    pub(super) fn speaks_requests(self) -> bool {
        let may_have_messages =
            matches!(self.spoken, GroupApplication::One(Application::Websocket) | GroupApplication::Several);
        self.counts.is_exact() && !may_have_messages
    }

    /// Like [`Self::speaks_requests`], but only in the clear. The protocol inside TLS is not known.
    fn speaks_requests_in_the_clear(self) -> bool {
        self.speaks_requests() && matches!(self.spoken, GroupApplication::One(_))
    }

    /// The closes by this cause that a rule can rely on: at least `few`, and enough for a diagnosis. Certain if the
    /// closes that satisfy `is_known` suffice, and possible if it takes all closes that may have carried requests.
    pub(super) fn grounds(self, cause: Cause, few: u64, is_known: Predicate) -> Option<Grounds> {
        let all_closes = self.closes(cause);
        if all_closes < few || !self.is_significant(all_closes) {
            return None;
        }
        let kinds: [(Confidence, Predicate); 2] =
            [(Confidence::Certain, is_known), (Confidence::Possible, ClosedConnection::may_have_carried_requests)];
        let mut grounds = kinds.into_iter().map(|(confidence, matches)| {
            let closes = self.closes_matching(cause, matches);
            Grounds { confidence, closes, all_closes, cause, matches }
        });
        grounds.find(|grounds| grounds.closes >= few && self.is_significant(grounds.closes))
    }

    /// Estimates how many closes by this cause match, from the history. If the history has none, because rows were lost
    /// or have not arrived, the counters decide whether all match.
    pub(super) fn closes_matching(self, cause: Cause, matches: Predicate) -> u64 {
        let closes = self.closes(cause);
        match self.history.count(cause, |_| true) {
            0 if self.speaks_requests_in_the_clear() => closes,
            0 => 0,
            remembered => closes * self.history.count(cause, matches) / remembered,
        }
    }

    pub(super) fn idle_us(self, cause: Cause) -> Option<u64> {
        self.history.of(cause, ClosedConnection::idle_us).median()
    }

    pub(super) fn diagnosis(self, confidence: Confidence, connections: u64, evidence: Evidence) -> Diagnosis {
        let application = self.likely_application();
        Diagnosis { confidence, connections, evidence, application, runtime: self.runtime }
    }

    /// The application protocol that the connections most likely speak. Exact counts without a recognised application
    /// come from TLS, inside which it is nearly always HTTP. Inexact counts may come from any protocol.
    pub(super) fn likely_application(self) -> Application {
        match self.spoken {
            GroupApplication::One(application) => application,
            GroupApplication::Unknown if self.counts.is_exact() => Application::Http1,
            GroupApplication::Unknown | GroupApplication::Several => Application::Unknown,
        }
    }
}

fn has_a_goodbye(application: Application) -> bool {
    matches!(
        application,
        Application::Postgresql
            | Application::Mysql
            | Application::Redis
            | Application::Memcached
            | Application::Mqtt
            | Application::Amqp
            | Application::Ldap
            | Application::Smtp
            | Application::Ftp
            | Application::Ssh
    )
}
