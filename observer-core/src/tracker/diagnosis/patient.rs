//! What rules know of a group, and on which of its connections they can rely.

use super::{Confidence, Diagnosis, Finding};
use crate::{
    model::{Application, Cause, Why},
    runtime::Runtime,
    tracker::{
        Counts, Evidence, Spoken,
        advice::{advice, most_likely},
        evidence::{Ended, Spread},
    },
};

/// More exchanges than these for each that went wrong, and the group is doing well.
const GOOD_RATIO: u64 = 20;

pub(super) type Predicate = fn(&Ended) -> bool;

/// What is known of a group.
#[derive(Clone, Copy)]
pub(crate) struct Patient<'a> {
    pub(crate) counts: &'a Counts,
    pub(crate) evidence: &'a Evidence,
    pub(crate) runtime: Option<Runtime>,
    /// How many processes of one name; None if that is not known.
    pub(crate) processes: Option<u64>,
    pub(crate) spoken: Spoken,
}

/// Closes by one cause that a rule can rely on, and how sure it can be of what their connections carried.
#[derive(Clone, Copy)]
pub(super) struct Grounds {
    pub(super) confidence: Confidence,
    pub(super) closes: u64,
    /// All that ended by this cause.
    all_closes: u64,
    cause: Cause,
    is_such: Predicate,
}

impl Grounds {
    /// How many, for a sentence. The counters know all closes by this cause; the share of some is an estimate.
    pub(super) fn number(&self) -> String {
        if self.closes < self.all_closes { format!("about {}", self.closes) } else { self.closes.to_string() }
    }

    /// A number of those that are remembered.
    pub(super) fn spread(&self, patient: Patient<'_>, number: fn(&Ended) -> Option<u64>) -> Spread {
        patient.evidence.of(self.cause, |ended| number(ended).filter(|_| (self.is_such)(ended)))
    }
}

impl Patient<'_> {
    pub(super) fn closes(self, cause: Cause) -> u64 {
        self.counts.closes[cause as usize]
    }

    pub(super) fn why(self, why: Why) -> u64 {
        self.counts.why[why as usize]
    }

    /// Whether so many connections that went wrong are worth a word.
    pub(super) fn minds(self, connections: u64) -> bool {
        connections * GOOD_RATIO > self.counts.exchanges()
    }

    /// Whether its connections were needed, all but a few: a pool that keeps them would have saved next to nothing.
    pub(super) fn needed_all(self) -> bool {
        let pool = self.counts.pool;
        pool.is_exact() && pool.asked() > Some(0) && pool.avoidable() < Some(super::FEW)
    }

    /// Connections that took the place of closed ones: as many were open at once before. Those that were opened beside idle
    /// ones are left out.
    pub(super) fn replaced(self) -> u64 {
        let needed = self.why(Why::Replaced) + self.why(Why::Concurrency);
        needed.saturating_sub(self.evidence.most_busy.saturating_sub(1))
    }

    /// The same, whatever the others did then: what was just asked on a connection that is about to be closed makes it look
    /// idle. The first one of each process takes nobody's place.
    pub(super) fn reopened(self) -> u64 {
        (self.counts.opened - self.why(Why::First).min(self.counts.opened)).saturating_sub(self.evidence.most_beside)
    }

    /// Whether this process resets its connections, whatever came or not: half as many as those, or more. So do the checks of
    /// HAProxy, and what else becomes of one is a matter of chance.
    pub(super) fn resets(self, connections: u64) -> bool {
        self.closes(Cause::Aborted) * 2 >= connections
    }

    /// Whether clients of what it speaks take their leave, so that the server closes because it was asked to.
    pub(super) fn says_goodbye(self) -> bool {
        match self.spoken {
            Spoken::One(application) => has_a_goodbye(application),
            Spoken::Unknown => self.may_say_goodbye(),
            Spoken::Several => false,
        }
    }

    /// Whether what is not known looks like it: after several turns, now one side closes first and now the other; or they are
    /// within TLS, where a protocol is not recognised that has a login.
    fn may_say_goodbye(self) -> bool {
        let by_server = |is_such: Predicate| self.evidence.count(Cause::ServerClosedAfterResponse, is_such);
        let turns =
            self.evidence.of(Cause::ServerClosedAfterResponse, |ended| (!ended.is_exact()).then(|| ended.exchanges()));
        let is_either = self.closes(Cause::ClosedAfterResponse) * 4 >= self.closes(Cause::ServerClosedAfterResponse);
        let is_encrypted = by_server(Ended::carried_encrypted_turns) * 2 > by_server(|_| true);
        turns.median().is_some_and(|turns| turns > 1) && (is_either || is_encrypted)
    }

    /// Whether each exchange of its connections is a request with its response.
    pub(super) fn speaks_requests(self) -> bool {
        let may_have_messages = matches!(self.spoken, Spoken::One(Application::Websocket) | Spoken::Several);
        self.counts.is_exact() && !may_have_messages
    }

    /// Whether they are, and in the clear: what is spoken within TLS is not known.
    fn speaks_requests_in_the_clear(self) -> bool {
        self.speaks_requests() && matches!(self.spoken, Spoken::One(_))
    }

    /// At least `few` closes by this cause that are worth a word. It is certain what they mean if those of which that is
    /// known are enough by themselves, and possible with those that may have carried requests.
    pub(super) fn grounds(self, cause: Cause, few: u64, is_known: Predicate) -> Option<Grounds> {
        let all_closes = self.closes(cause);
        if all_closes < few || !self.minds(all_closes) {
            return None;
        }
        let kinds: [(Confidence, Predicate); 2] =
            [(Confidence::Certain, is_known), (Confidence::Possible, Ended::may_have_carried_requests)];
        let mut grounds = kinds.into_iter().map(|(confidence, is_such)| {
            let closes = self.closes_of(cause, is_such);
            Grounds { confidence, closes, all_closes, cause, is_such }
        });
        grounds.find(|grounds| grounds.closes >= few && self.minds(grounds.closes))
    }

    /// How many of the closes by this cause are such. Those that are remembered speak for all; without any, because rows were
    /// lost or come later, the counters tell whether all of them are.
    pub(super) fn closes_of(self, cause: Cause, is_such: Predicate) -> u64 {
        let closes = self.closes(cause);
        match self.evidence.count(cause, |_| true) {
            0 if self.speaks_requests_in_the_clear() => closes,
            0 => 0,
            remembered => closes * self.evidence.count(cause, is_such) / remembered,
        }
    }

    pub(super) fn idle_us(self, cause: Cause) -> Option<u64> {
        self.evidence.of(cause, Ended::idle_us).median()
    }

    pub(super) fn diagnosis(
        self,
        finding: Finding,
        confidence: Confidence,
        connections: u64,
        values: Vec<(&'static str, u64)>,
        evidence: String,
    ) -> Diagnosis {
        let application = most_likely(self.spoken, self.counts.is_exact());
        let advice = advice(finding, confidence, application, self.runtime, &values);
        let healthy = matches!(finding, Finding::RequestCap | Finding::MaxLifetime);
        Diagnosis { finding, confidence, healthy, connections, values, evidence, advice }
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
