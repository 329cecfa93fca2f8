//! Properties of every piece of advice, over all findings, protocols and runtimes.

mod words;

use std::collections::BTreeSet;

use super::*;
use crate::{
    diagnosis::{Agreement, ClosesEach, ExchangesEach, Finding, Leaver, ProcessEach, Share},
    runtime::GoVersion,
};
use words::{OF_ALL, OF_PROTOCOLS, WORDS};

/// Evidence of each finding, with a timeout of 90 s.
fn evidence(finding: Finding) -> Evidence {
    let (n, timeout_us) = (10, 90_000_000);
    let share = Share { closes: n, is_estimate: false };
    let each = ExchangesEach { median: 1, agreement: Agreement::All, is_exact: true };
    match finding {
        Finding::ResponseNotRead => {
            Evidence::UnreadResponse { closes: share, closed: n, since_last_read_us: None, unread_bytes: None }
        }
        Finding::ClosedAfterResponse => Evidence::LeftAfterResponse {
            closes: n,
            closed: n,
            leaver: Leaver::ThisProcess,
            since_response_us: None,
            exchanges: each,
        },
        Finding::PoolTooSmall => Evidence::PoolOverflow { closes: n, closed: n, kept_idle: 10, concurrent: 1000 },
        Finding::ClientPerRequest => {
            Evidence::OpenedBesideIdle { missed: 10, opened: 10, idle: 10, unused_after: None }
        }
        Finding::ProcessPerRequest => Evidence::ProcessEach(ProcessEach {
            processes: 10,
            opened: 10,
            exchanges: 10,
            is_exact: true,
            one_after_the_other: false,
            each: None,
        }),
        Finding::ServerClosesEach => {
            let each = ClosesEach::AfterOneTurn { is_always: true };
            Evidence::ServerClosedEach { closes: share, closed: n, each }
        }
        Finding::ServerIdleTimeout => Evidence::ServerIdle { closes: n, closed: n, timeout_us },
        Finding::ClientIdleTimeout => Evidence::ClientIdle { closes: n, closed: n, timeout_us, is_noticed_late: false },
        Finding::StaleConnection => Evidence::ResetWhenIdle { closes: n, closed: n, idle_us: timeout_us },
        Finding::MaxLifetime => Evidence::Age { closes: n, lifetime_us: timeout_us },
        Finding::RequestCap => Evidence::Cap { closes: n, seen: 10, cap: 100 },
        Finding::PortExhaustion => Evidence::NoLocalPort { connects: 10 },
    }
}

fn advice(finding: Finding, confidence: Confidence, application: Application, runtime: Option<Runtime>) -> String {
    let evidence = evidence(finding);
    assert_eq!(evidence.finding(), finding);
    sentence(&Diagnosis { confidence, connections: 10, evidence, application, runtime })
}

/// A piece of advice and its recipient.
struct Given {
    application: Application,
    runtime: Runtime,
    text: String,
}

/// All pieces of advice. Advice that does not depend on the confidence occurs once.
fn all() -> Vec<Given> {
    let versions = [19, 27].map(|minor| Runtime::Go(Some(GoVersion { major: 1, minor, patch: None })));
    let runtimes: Vec<Runtime> = Runtime::ALL.map(|(runtime, _)| runtime).into_iter().chain(versions).collect();
    let applications = Application::ALL.iter().copied().chain([Application::Unknown]);
    let mut all = Vec::new();
    for application in applications {
        for runtime in runtimes.iter().copied() {
            for finding in Finding::ALL {
                for confidence in [Confidence::Certain, Confidence::Likely, Confidence::Possible] {
                    let text = advice(finding, confidence, application, Some(runtime));
                    if all.last().is_none_or(|last: &Given| last.text != text) {
                        all.push(Given { application, runtime, text });
                    }
                }
            }
        }
    }
    all
}

/// Where a word occurs as a whole word.
fn places(text: &str, word: &str) -> Vec<usize> {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    let is_whole = |at: &usize| {
        let ends_in_letter = word.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        !(*at > 0 && is_part(bytes.get(at - 1)) || ends_in_letter && is_part(bytes.get(at + word.len())))
    };
    text.match_indices(word).map(|(at, _)| at).filter(is_whole).collect()
}

/// Whether a word is code and not English: `SetMaxIdleConns`, `pool_size`, `Net::HTTP`, `connect()`.
fn looks_like_code(word: &str) -> bool {
    let has_mark = ["_", "::", "()", "->", "=", "#", "\\"].iter().any(|mark| word.contains(mark));
    let bytes = word.as_bytes();
    let has_hump = bytes.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    let has_dot =
        bytes.windows(3).any(|part| part[1] == b'.' && part[0].is_ascii_alphabetic() && part[2].is_ascii_alphabetic());
    let has_letter = bytes.iter().any(u8::is_ascii_alphabetic);
    has_letter && (has_mark || has_hump || has_dot)
}

fn without_version(runtime: Runtime) -> &'static str {
    Runtime::ALL.into_iter().find(|(of, _)| runtime == *of).map_or("Go", |(_, name)| name)
}

/// Every code word, and whether advice for this runtime and protocol may use it.
fn words(runtime: Runtime, application: Application) -> Vec<(&'static str, bool)> {
    let name = without_version(runtime);
    let mut words: Vec<(&str, bool)> = OF_ALL.iter().map(|word| (*word, true)).collect();
    for (applications, of_protocol) in OF_PROTOCOLS {
        let is_owner = applications.contains(&application);
        words.extend(of_protocol.iter().map(|word| (*word, is_owner)));
    }
    for (runtimes, applications, of_runtimes) in WORDS {
        let is_owner = runtimes.contains(&name) && applications.contains(&application);
        words.extend(of_runtimes.iter().map(|word| (*word, is_owner)));
    }
    // A word may have several owners. Owned words come first, the longest first.
    words.sort_by_key(|(word, is_owner)| (!is_owner, usize::MAX - word.len()));
    words
}

/// The wrong words in a piece of advice: those of another runtime or of another protocol's client, and code words without
/// an owner.
fn strays(text: &str, words: &[(&'static str, bool)]) -> Vec<String> {
    let mut rest = text.to_string();
    let mut strays = Vec::new();
    for (word, is_owner) in words {
        for at in places(&rest, word) {
            rest.replace_range(at..at + word.len(), &" ".repeat(word.len()));
            strays.extend((!is_owner).then(|| format!("{word} belongs to others")));
        }
    }
    strays.extend(
        rest.split_whitespace().filter(|word| looks_like_code(word)).map(|word| format!("{word} has no owner")),
    );
    strays
}

#[test]
fn advice_names_only_what_the_client_has() {
    let mut wrong = BTreeSet::new();
    for Given { application, runtime, text } in all() {
        let strays = strays(&text, &words(runtime, application));
        wrong.extend(strays.into_iter().map(|stray| format!("{stray}: {runtime} with {application:?}: {text}")));
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_word_reaches_its_owners() {
    let all = all();
    for (runtimes, applications, words) in WORDS {
        let is_recipient = |given: &Given| {
            runtimes.contains(&without_version(given.runtime)) && applications.contains(&given.application)
        };
        let received: Vec<&Given> = all.iter().filter(|given| is_recipient(given)).collect();
        let unnamed = words.iter().find(|word| received.iter().all(|given| places(&given.text, word).is_empty()));
        assert_eq!(unnamed, None, "by {runtimes:?} with {applications:?}");
    }
}

/// Shows that the test above can fail.
#[test]
fn stray_words_are_found() {
    let of = |text, runtime, application| strays(text, &words(Runtime::from_name(runtime), application));
    let http = "Raise Transport.MaxIdleConnsPerHost (2 unless set).";
    assert!(of(http, "Go 1.25.1", Application::Http1).is_empty());
    for (runtime, application) in [
        ("Go", Application::Postgresql),
        ("Go", Application::Unknown),
        ("Rust", Application::Http1),
        ("unknown", Application::Http1),
    ] {
        assert!(!of(http, runtime, application).is_empty(), "{runtime} with {application:?}");
    }
    assert!(!of("Raise the server's wait_timeout.", "PHP", Application::Postgresql).is_empty());
    assert!(!of("Keep the handle.", "Node", Application::Http1).is_empty());
    for unknown in
        ["Call setTheUnheardOf.", "See un_heard.", "One Un::Heard.", "Try unheard().", "Read un.heard first."]
    {
        assert_eq!(of(unknown, "Node", Application::Http1).len(), 1, "{unknown}");
    }
}

#[test]
fn advice_is_a_sentence_of_bounded_length() {
    for Given { application, runtime, text } in all() {
        let is_sentence = text.starts_with(|first: char| first.is_ascii_uppercase()) && text.ends_with('.');
        let is_one_line = !text.contains(['\n', '\t']) && !text.contains("  ") && !text.contains("..");
        assert!(is_sentence && is_one_line, "{runtime} with {application:?}: {text}");
        assert!((20..=300).contains(&text.len()), "{} characters, {runtime} with {application:?}: {text}", text.len());
    }
}

/// For the same finding, a database client gets other advice than an HTTP client.
#[test]
fn advice_fits_application_and_runtime() {
    let text_for = |finding, application, runtime| {
        advice(finding, Confidence::Likely, application, Some(Runtime::from_name(runtime)))
    };
    for (finding, application, runtime, has) in [
        (Finding::PoolTooSmall, Application::Http1, "Go 1.25.1", "MaxIdleConnsPerHost"),
        (Finding::PoolTooSmall, Application::Postgresql, "Go 1.25.1", "SetMaxIdleConns"),
        (Finding::PoolTooSmall, Application::Mysql, "Python", "pool_size"),
        (Finding::PoolTooSmall, Application::Mysql, "Python", "max_overflow"),
        (Finding::PoolTooSmall, Application::Http1, "Python with pycurl", "CURLMOPT_MAXCONNECTS"),
        (Finding::PoolTooSmall, Application::Mysql, "Python with pycurl", "pool_size"),
        (Finding::ClientPerRequest, Application::Http2, "Rust", "a Channel of tonic"),
        (Finding::ClosedAfterResponse, Application::Http2, "Python", "grpc.insecure_channel()"),
        (Finding::ClientPerRequest, Application::Amqp, "Java", "createChannel() for each thread"),
        (Finding::ProcessPerRequest, Application::Ssh, "unknown", "ControlPersist"),
        (Finding::StaleConnection, Application::Mqtt, "Python", "send pings"),
        (Finding::ServerIdleTimeout, Application::Mysql, "PHP", "the server's wait_timeout"),
    ] {
        let text = text_for(finding, application, runtime);
        assert!(text.contains(has), "{runtime} with {application:?}: {text}");
    }
}

#[test]
fn advice_for_go_depends_on_its_version() {
    let go = |minor| Some(Runtime::Go(Some(GoVersion { major: 1, minor, patch: None })));
    let text_for = |finding, minor| advice(finding, Confidence::Certain, Application::Http1, go(minor));
    assert!(text_for(Finding::ClosedAfterResponse, 19).contains("first: a small body that is closed unread"));
    assert!(!text_for(Finding::ClosedAfterResponse, 27).contains("unread"));
    assert!(text_for(Finding::ResponseNotRead, 27).contains("256 KiB"));
}
