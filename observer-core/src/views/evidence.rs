//! The evidence of a diagnosis as a sentence without its full stop.

use std::fmt::Write as _;

use super::words::{approximately, brief_time, plural, thousands};
use crate::diagnosis::{Agreement, ClosesEach, Evidence, ExchangesEach, Leaver, ProcessEach, Share};

pub(crate) fn sentence(evidence: &Evidence) -> String {
    match *evidence {
        Evidence::NoLocalPort { connects } => {
            format!("{} found no free local port", plural(connects, "connect", "connects"))
        }
        Evidence::UnreadResponse { closes, closed, since_last_read_us, unread_bytes } => {
            let since =
                since_last_read_us.map_or_else(String::new, |us| format!(" {} after the last read", brief_time(us)));
            let left = match unread_bytes {
                None => "with some of the response unread or still to come".into(),
                Some(0) => "while more of the response came".into(),
                Some(1) => "1 byte unread".into(),
                Some(bytes) => format!("{} bytes unread", thousands(bytes)),
            };
            format!("{} of {closed} closed by this process{since}, {left}", share(closes))
        }
        Evidence::LeftAfterResponse { closes, closed, leaver, since_response_us, ref exchanges } => {
            let by = match leaver {
                Leaver::ThisProcess => "by this process",
                Leaver::Server => "by the server, most likely at the goodbye of this process,",
                Leaver::Both => "by this process, or at its goodbye by the server,",
            };
            let since =
                since_response_us.map_or_else(String::new, |us| format!(" {} after the response", brief_time(us)));
            format!("{closes} of {closed} closed {by}{since}, {}", after(exchanges))
        }
        Evidence::ServerClosedEach { closes, closed, ref each } => {
            let when = match each {
                ClosesEach::WithFirstResponse { is_always: true } => " with its first response".into(),
                ClosesEach::WithFirstResponse { is_always: false } => ", most with its first response".into(),
                ClosesEach::AfterOneTurn { is_always: true } => " after one turn".into(),
                ClosesEach::AfterOneTurn { is_always: false } => ", most after one turn".into(),
                ClosesEach::AfterUnit(exchanges) => format!(" {}", after(exchanges)),
            };
            format!("{} of {closed} closed by the server{when}", share(closes))
        }
        Evidence::ProcessEach(ref processes) => process_each(processes),
        Evidence::OpenedBesideIdle { missed, opened, idle, ref unused_after } => {
            let mut text = format!("{missed} of {opened} opened while idle ones were there, up to {idle} of them");
            if let Some(exchanges) = unused_after {
                let _ = write!(text, ", not used again {}", after(exchanges));
            }
            text
        }
        Evidence::PoolOverflow { closes, closed, kept_idle, concurrent } => format!(
            "{closes} of {closed} closed by this process after a response, while {kept_idle} stayed idle; {concurrent} were in use at once"
        ),
        Evidence::ServerIdle { closes, closed, timeout_us } => {
            format!("{closes} of {closed} closed by the server when idle, at a median of {}", brief_time(timeout_us))
        }
        Evidence::ClientIdle { closes, closed, timeout_us, is_noticed_late: false } => {
            format!("{closes} of {closed} closed by this process when idle, at a median of {}", brief_time(timeout_us))
        }
        Evidence::ClientIdle { closes, closed, timeout_us, is_noticed_late: true } => format!(
            "{closes} of {closed} closed by this process after at most {} idle, noticed at the next request",
            brief_time(timeout_us)
        ),
        Evidence::ResetWhenIdle { closes, closed, idle_us } => format!(
            "{closes} of {closed} reset by the peer, at a median of {} after the last read",
            brief_time(idle_us)
        ),
        Evidence::Age { closes, lifetime_us } => {
            format!("{closes} closed while in use, at a median age of {}", brief_time(lifetime_us))
        }
        Evidence::Cap { closes, seen, cap } => {
            format!("{closes} closed by the server, the last {seen} of them after {cap} exchanges each")
        }
    }
}

fn process_each(evidence: &ProcessEach) -> String {
    let ProcessEach { processes, opened, exchanges, is_exact, one_after_the_other, each } = evidence;
    let order = if *one_after_the_other { ", one after the other," } else { "" };
    let mark = approximately(*is_exact);
    let each = each.as_ref().map_or_else(String::new, |each| format!(", closed {}", after(each)));
    let purpose = match exchanges {
        0 => "to log in and send what needs no answer".into(),
        _ => format!("for {mark}{exchanges} exchanges{each}"),
    };
    format!("{processes} processes opened {opened} connections{order} {purpose}")
}

fn share(Share { closes, is_estimate }: Share) -> String {
    if is_estimate { format!("about {closes}") } else { closes.to_string() }
}

/// The number of exchanges after which connections ended, or of turns if only turns can be counted.
fn after(ExchangesEach { median, agreement, is_exact }: &ExchangesEach) -> String {
    let after = match agreement {
        Agreement::All => "after",
        Agreement::Most => "mostly after",
        Agreement::Some => "after a median of",
    };
    match (*median, is_exact) {
        (0, _) => "after no answer but to the login".into(),
        (1, _) => format!("{after} one exchange"),
        (n, true) => format!("{after} {n} exchanges"),
        (n, false) => format!("{after} ≈{n} turns"),
    }
}
