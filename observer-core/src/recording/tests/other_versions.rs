//! Recordings of older and newer programs.

use super::*;

#[test]
fn unknown_fields_are_ignored_and_absent_fields_are_empty() {
    let text = r#"{"recording":1,"later":[1],"kernel":"5.10","started_unix_ns":5}
        {"event":{"unix_ns":6,"kind":"close","id":1,"later":{},"connection":{"remote":"1.2.3.4:80","how":"melted","later":1}}}
        {"sample":{"unix_ns":7,"later":0,"groups":[{"later":0,"key":{"tgid":1,"later":0},"counters":{"later":[3],"new":2}}]}}
        {"end":{"unix_ns":8,"later":null}}"#;
    let (records, end) = read(text.replace("\n        ", "\n"));
    assert_eq!(end, Ok(8));
    let [Record::Event(event), Record::Sample { sample, .. }] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((event.connection.remote.port(), event.connection.pid), (80, None));
    assert_eq!((event.connection.how, event.connection.exact), (CloseKind::Unknown, true));
    assert_eq!((sample.groups[0].counters.new, sample.groups[0].counters.failures), (2, [0; 8]));
    assert_eq!(event.connection.application, Application::Unknown);
    assert_eq!((sample.groups[0].counters.marked, sample.groups[0].counters.application), (0, 0));
}

/// Reads a recording with these JSON values as the application of a group and of a connection.
fn applications_read(group: &str, connection: &str) -> (u64, Application) {
    let text = [
        "{\"recording\":1}".into(),
        format!(r#"{{"sample":{{"unix_ns":1,"groups":[{{"key":{{}},"counters":{{"application":{group}}}}}]}}}}"#),
        format!(
            r#"{{"event":{{"unix_ns":1,"kind":"close","id":1,"connection":{{"remote":"1.2.3.4:80","application":{connection}}}}}}}"#
        ),
        "{\"end\":{\"unix_ns\":2}}".into(),
    ];
    let (records, end) = read(text.join("\n"));
    assert_eq!(end, Ok(2));
    let [Record::Sample { sample, .. }, Record::Event(event)] = records.as_slice() else { panic!("{records:?}") };
    (sample.groups[0].counters.application, event.connection.application)
}

#[test]
fn filters_of_an_old_recording_are_known_in_words_only() {
    let about = |header: &str| open(format!("{{\"recording\":1,{header}}}\n")).unwrap().about();
    let old = about(r#""filters":["of curl"]"#);
    assert_eq!((old.filters, old.filters_by_kind), (vec!["of curl".into()], None));
    let later = about(r#""filters_by_kind":{"pids":[7],"later":["x"]}"#);
    assert_eq!(later.filters_by_kind, Some(Filters { pids: vec![7], ..Filters::default() }));
}

#[test]
fn applications_are_written_by_name_and_unknown_names_are_accepted() {
    let mut several = group(2, 1);
    several.counters.application = tcp_reuse_watch_ebpf::SEVERAL_APPLICATIONS;
    let lines = encoded(&[sample(vec![group(1, 1), several])], &[row(1, RowKind::Close)]);
    assert!(lines[1].contains(r#""marked":1,"#) && lines[1].contains(r#""application":"postgresql""#), "{}", lines[1]);
    assert!(lines[1].contains(r#""application":"several""#), "{}", lines[1]);
    assert!(lines[2].contains(r#""application":"http2""#), "{}", lines[2]);
    assert_eq!(applications_read("\"redis\"", "\"redis\""), (Application::Redis as u64, Application::Redis));
    assert_eq!(applications_read("\"several\"", "null"), (255, Application::Unknown));
    assert_eq!(applications_read("\"gopher\"", "\"gopher\""), (0, Application::Unknown), "a name from a later version");
}
