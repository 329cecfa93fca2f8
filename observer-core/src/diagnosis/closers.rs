//! Who closes a connection when a unit of work is done: this process, or the server.

use super::{
    ClosesEach, Confidence, Diagnosis, Evidence, ExchangesEach, FEW, Finding, Leaver, Subject,
    idle::LONG_IDLE_US,
    unit::{announcements, are_checks, are_rare, most_at_once, serve_one_unit_each},
    unread::GOODBYE_BYTES,
};
use crate::{
    group::{ClosedConnection, Spread},
    model::Cause,
};

/// A server that closes after more exchanges than this may have a request cap.
const BELOW_A_CAP: u64 = 9;

/// Connections that this process abandoned after a response.
struct Abandoned {
    closes: u64,
    by_server: u64,
    says_goodbye: bool,
    matches: fn(&ClosedConnection, says_goodbye: bool) -> bool,
}

impl Abandoned {
    /// Closed by this process, or by the server because this process had said goodbye.
    fn after_a_response(subject: Subject<'_>) -> Self {
        let says_goodbye = subject.says_goodbye();
        let by_server = if says_goodbye { subject.closes(Cause::ServerClosedAfterResponse) } else { 0 };
        let closes = subject.closes(Cause::ClosedAfterResponse) + by_server;
        Self { closes, by_server, says_goodbye, matches: is_abandoned_after_a_response }
    }

    /// Adds connections closed with an unread goodbye, and connections on which only the login was answered.
    fn with_unanswered(subject: Subject<'_>) -> Self {
        let matches = |closed: &ClosedConnection, says_goodbye: bool| match closed.cause {
            Cause::UnreadResponse => is_goodbye(closed),
            Cause::Unused => closed.may_have_announced(),
            _ => is_abandoned_after_a_response(closed, says_goodbye),
        };
        let abandoned = Self::after_a_response(subject);
        let others = subject.closes_matching(Cause::UnreadResponse, is_goodbye) + announcements(subject);
        Self { closes: abandoned.closes + others, matches, ..abandoned }
    }

    fn matches(&self, closed: &ClosedConnection) -> bool {
        (self.matches)(closed, self.says_goodbye)
    }

    fn spread(&self, subject: Subject<'_>, number: fn(&ClosedConnection) -> Option<u64>) -> Spread {
        subject.history.spread(|closed| number(closed).filter(|_| self.matches(closed)))
    }

    fn exchanges(&self, subject: Subject<'_>) -> Spread {
        self.spread(subject, |closed| Some(closed.exchanges()))
    }

    /// Whether there are enough of these connections, and others replaced them. Twice as many as were open at once are
    /// required, because all of these may be closed when the work is done.
    fn is_pattern(&self, subject: Subject<'_>) -> bool {
        // The history may hold fewer connections than were open at once.
        let at_once =
            || most_at_once(&subject.history.in_order(|closed| self.matches(closed))).max(subject.history.most_busy);
        self.closes >= FEW
            && subject.is_significant(self.closes)
            && !subject.needed_all()
            && self.closes >= 2 * at_once()
            && !are_checks(subject, |closed| self.matches(closed))
    }

    fn serve_one_unit_each(&self, subject: Subject<'_>) -> bool {
        self.is_pattern(subject)
            && subject.reopened() >= FEW
            && serve_one_unit_each(subject, self.closes, |closed| self.matches(closed))
    }

    fn evidence(&self, subject: Subject<'_>) -> Evidence {
        let is_exact = self.spread(subject, |closed| (!closed.is_exact()).then_some(1)).is_empty();
        Evidence::LeftAfterResponse {
            closes: self.closes,
            closed: subject.counts.closed,
            leaver: match self.by_server {
                0 => Leaver::ThisProcess,
                all if all == self.closes => Leaver::Server,
                _ => Leaver::Both,
            },
            since_response_us: self.spread(subject, ClosedConnection::idle_us).median(),
            exchanges: ExchangesEach::new(&self.exchanges(subject), is_exact),
        }
    }
}

fn is_abandoned_after_a_response(closed: &ClosedConnection, says_goodbye: bool) -> bool {
    match closed.cause {
        Cause::ClosedAfterResponse => closed.may_have_carried_requests(),
        Cause::ServerClosedAfterResponse => says_goodbye,
        _ => false,
    }
}

/// A few unread bytes that may not be a response are most likely the peer's goodbye.
fn is_goodbye(closed: &ClosedConnection) -> bool {
    !closed.is_exact() && closed.unread_bytes() <= GOODBYE_BYTES
}

/// Connections closed after a single exchange each, or after a unit of work each.
pub(super) fn closed_after_response(subject: Subject<'_>) -> Option<Diagnosis> {
    let abandoned = Abandoned::after_a_response(subject);
    let has_one_each = abandoned.is_pattern(subject)
        && abandoned.exchanges(subject).median() == Some(1)
        && !are_rare(subject, |closed| abandoned.matches(closed));
    let abandoned = if has_one_each {
        abandoned
    } else {
        Some(Abandoned::with_unanswered(subject)).filter(|abandoned| abandoned.serve_one_unit_each(subject))?
    };
    let evidence = abandoned.evidence(subject);
    Some(subject.diagnosis(Confidence::Possible, abandoned.closes, evidence))
}

/// Whether the abandoned connections account for nearly all exchanges, so no other connection was kept in use.
pub(super) fn abandons_all_in_use(subject: Subject<'_>) -> bool {
    let abandoned = Abandoned::after_a_response(subject);
    let Some(each) = abandoned.exchanges(subject).median() else { return false };
    let explained = (abandoned.closes + 1).saturating_mul(each);
    let is_all = subject.counts.exchanges() * 10 <= explained.saturating_mul(11);
    is_all && (each > 1 || subject.counts.reused == 0) && abandoned.serve_one_unit_each(subject)
}

/// Connections closed by the server after the first exchange. If that exchange may be a turn of an unknown protocol,
/// the close may be part of the protocol; such connections may also take several turns, for a login and a request. A
/// server that was asked to close is not to blame.
pub(super) fn server_closes_each(subject: Subject<'_>) -> Option<Diagnosis> {
    let grounds = subject.grounds(Cause::ServerClosedAfterResponse, FEW, ClosedConnection::carried_requests)?;
    let by_server = |closed: &ClosedConnection| closed.cause == Cause::ServerClosedAfterResponse;
    let exchanges = grounds.spread(subject, |closed| Some(closed.exchanges()));
    let may_be_a_cap = exchanges.median()? > BELOW_A_CAP;
    if may_be_a_cap
        || subject.says_goodbye()
        || subject.resets(grounds.closes)
        || are_checks(subject, by_server)
        || are_rare(subject, by_server)
    {
        return None;
    }
    let is_certain = grounds.confidence == Confidence::Certain;
    let is_always = exchanges.is_constant();
    let each = match exchanges.median()? {
        1 if is_certain => ClosesEach::WithFirstResponse { is_always },
        1 => ClosesEach::AfterOneTurn { is_always },
        _ if !is_certain && server_ends_units(subject, grounds.closes) => {
            ClosesEach::AfterUnit(ExchangesEach::new(&exchanges, false))
        }
        _ => return None,
    };
    let evidence = Evidence::ServerClosedEach { closes: grounds.share(), closed: subject.counts.closed, each };
    Some(subject.diagnosis(grounds.confidence, grounds.closes, evidence))
}

/// Whether the server closes after a unit of work. A server that closes at a certain age has a maximum lifetime instead.
fn server_ends_units(subject: Subject<'_>, closes: u64) -> bool {
    let matches = |closed: &ClosedConnection| {
        closed.cause == Cause::ServerClosedAfterResponse && closed.may_have_carried_requests()
    };
    let ages = subject.history.of(Cause::ServerClosedAfterResponse, ClosedConnection::lifetime_us);
    let has_max_lifetime = ages.is_narrow() && ages.median() >= Some(LONG_IDLE_US);
    subject.reopened() >= FEW && !has_max_lifetime && serve_one_unit_each(subject, closes, matches)
}

/// Drops diagnoses that only describe a symptom of another one.
pub(super) fn keep_best_explanation(subject: Subject<'_>, found: &mut Vec<Diagnosis>) {
    let has = |finding| found.iter().any(|diagnosis| diagnosis.finding() == finding);
    let is_openers =
        [Finding::PoolTooSmall, Finding::ClientPerRequest, Finding::ProcessPerRequest].map(has).contains(&true);
    // If the server announces that it will close, the client closes too, and is sometimes first. The same holds for the
    // server if the client says goodbye.
    let is_servers = has(Finding::ServerClosesEach)
        && subject.closes(Cause::ServerClosedAfterResponse) >= subject.closes(Cause::ClosedAfterResponse);
    let is_clients = has(Finding::ClosedAfterResponse) && !is_servers;
    found.retain(|diagnosis| match diagnosis.finding() {
        Finding::ClosedAfterResponse => !is_openers && !is_servers,
        Finding::ServerClosesEach if diagnosis.confidence != Confidence::Certain => !is_openers && !is_clients,
        _ => true,
    });
}
