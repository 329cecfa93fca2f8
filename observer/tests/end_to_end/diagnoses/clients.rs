//! Diagnoses that clients cause.

use std::{path::Path, process::Command};

use serde_json::json;

use super::{assert_advice, assert_diagnosed, assert_not_diagnosed, go_client, group, value, watch_client, watched};
use crate::support::programs::program;

#[test]
fn unread_long_bodies_are_diagnosed_as_response_not_read() {
    let report = watched("-body 2097152", (10, 10), go_client(""));
    let expected =
        json!({ "cause": "response-not-read", "confidence": "certain", "healthy": false, "connections": 10 });
    let diagnosis = assert_diagnosed(&report, &expected);
    assert!(value(diagnosis, "unread_bytes") > 0, "{diagnosis:#}");
    assert_advice(diagnosis, "io.Copy(io.Discard, res.Body)");
    // The notice came as soon as the diagnosis was known.
    let notices = report.of_type("notice");
    let reported: Vec<_> = notices.iter().filter(|row| row["kind"] == "diagnosis").collect();
    let [notice] = reported[..] else { panic!("expected one notice: {notices:#?}") };
    assert!(notice["message"].as_str().is_some_and(|message| message.contains("closed by this process")), "{notice:#}");
}

/// Go has read the short body together with the head, so the kernel cannot see that the client ignored it.
#[test]
fn unread_short_bodies_are_diagnosed_as_closed_after_response() {
    let report = watched("-body 1024", (20, 20), go_client("-times 20"));
    let expected =
        json!({ "cause": "closed-after-response", "confidence": "possible", "healthy": false, "connections": 20 });
    let diagnosis = assert_diagnosed(&report, &expected);
    assert_advice(diagnosis, "the likeliest first: a small body that is closed unread (io.Copy(io.Discard, res.Body)");
}

const ROUNDS: &str = "-read -times 50 -at-once 10";
const HELD: &str = "-hold 20ms";

#[test]
fn pool_that_keeps_two_of_ten_is_diagnosed_as_too_small() {
    let (report, truth) = watch_client(HELD, go_client(ROUNDS));
    assert_eq!(truth.requests, 50, "counts of the server");
    // Ten connections, and in each further round usually the eight that were not kept.
    assert!((30..=50).contains(&truth.connections), "counts of the server: {truth:?}");
    let diagnosis = assert_diagnosed(
        &report,
        &json!({ "cause": "pool-too-small", "confidence": "likely", "values": { "kept_idle": 2, "concurrent": 10 } }),
    );
    assert_advice(diagnosis, "Transport.MaxIdleConnsPerHost (2 unless set)");
    let connections = diagnosis["connections"].as_u64().expect("a number");
    // All connections except the two that are kept.
    assert!((truth.connections - 10..=truth.connections - 2).contains(&connections), "{diagnosis:#}, {truth:?}");
}

#[test]
fn pool_that_keeps_all_connections_is_not_diagnosed() {
    assert_not_diagnosed(&watched(HELD, (10, 50), go_client(&format!("{ROUNDS} -kept 10"))));
}

#[test]
fn client_per_request_is_diagnosed() {
    let go = watched("", (20, 20), go_client("-read -times 20 -each"));
    let java = watched("", (10, 10), |url| {
        let mut java = program("java", "openjdk-17-jdk-headless");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/programs/ClientEach.java");
        java.arg("-XX:TieredStopAtLevel=1").arg(source).args([url, "10"]);
        java
    });
    for (report, opened, words) in [
        (go, 20, "an http.Client and its Transport are made to be shared"),
        (java, 10, "an HttpClient is made to be shared"),
    ] {
        let expected = json!({
            "cause": "client-per-request", "confidence": "likely", "healthy": false, "connections": opened - 1,
            "values": { "idle": opened - 1 },
        });
        let diagnosis = assert_diagnosed(&report, &expected);
        assert_advice(diagnosis, words);
        assert_eq!(group(&report)["why"], json!({ "first": 1, "missed-reuse": opened - 1 }));
    }
}

fn curl(script: &str) -> impl FnOnce(&str) -> Command {
    // Fails here, with a clear message, if curl is missing.
    program("curl", "curl");
    let script = format!("set -e; curl='curl --silent --noproxy *'; {script}");
    move |url| {
        let mut shell = program("bash", "bash");
        // `-f` turns off file name expansion, because of the `*` for `--noproxy`.
        shell.args(["-f", "-c", &script, "bash", url]);
        shell
    }
}

#[test]
fn process_per_request_is_diagnosed() {
    let report = watched("", (30, 30), curl("for n in $(seq 30); do $curl $1$n; done"));
    let expected = json!({
        "cause": "process-per-request", "confidence": "certain", "healthy": false, "connections": 30,
        "values": { "processes": 30 },
    });
    assert_diagnosed(&report, &expected);
}

#[test]
fn one_process_for_all_requests_is_not_diagnosed() {
    assert_not_diagnosed(&watched("", (1, 30), curl("$curl $1[1-30]")));
}

/// The diagnosis depends on how much reuse would gain, not on the number of processes.
#[test]
fn ten_processes_with_thirty_requests_each_are_not_diagnosed() {
    assert_not_diagnosed(&watched("", (10, 300), curl("for n in $(seq 10); do $curl $1[1-30]; done")));
}
