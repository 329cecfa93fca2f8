//! LDAP: a bind sets the connection up. Further turns are marked, because clients can send without waiting and answers
//! can have several messages.

use std::fs;

use serde_json::json;

use crate::support::{
    certificate,
    machine::Machine,
    programs::{output_of, program},
    report::Report,
    service::{self, Service},
    sockets::ReservedPort,
};

fn slapd() -> (Service, u16) {
    let (folder, port) = (service::folder(), ReservedPort::new());
    let number = port.address.port();
    certificate::make(folder.path());
    fs::create_dir(folder.path().join("data")).expect("cannot create a directory");
    let configuration = "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
        TLSCertificateFile certificate.pem\nTLSCertificateKeyFile key.pem\n\
        database mdb\nsuffix dc=example\nrootdn cn=admin,dc=example\nrootpw secret\ndirectory data\n";
    fs::write(folder.path().join("slapd.conf"), configuration).expect("cannot write the file");
    let mut slapd = program("slapd", "slapd");
    slapd.args(["-f", "slapd.conf", "-h", &format!("ldap://127.0.0.1:{number}"), "-d", "stats"]);
    (Service::start(&mut slapd, folder, [port]), number)
}

/// Runs this many searches, each with a connection and a bind of its own.
pub(crate) fn searched(times: u64, options: &[&str]) -> Report {
    let machine = Machine::shared();
    let (slapd, port) = slapd();
    let watch = machine.watch(format!("-p {port}"));
    for _ in 0..times {
        let mut search = program("ldapsearch", "ldap-utils");
        search.env("LDAPTLS_REQCERT", "never").args(["-x", "-H", &format!("ldap://127.0.0.1:{port}")]).args(options);
        output_of(search.args(["-D", "cn=admin,dc=example", "-w", "secret", "-s", "base", "-b", ""]));
    }
    slapd.wait_for_closes(port);
    let log = slapd.stop_and_read("log");
    let counted = [" ACCEPT from ", " BIND dn=\"cn=admin,dc=example\" method=", " SRCH base="];
    assert_eq!(counted.map(|text| log.matches(text).count() as u64), [times; 3], "counts in the log of slapd: {log}");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": times, "closed": times, "failed": 0, "new": times, "unused": 0 }));
    report
}

/// The binds are not counted.
#[test]
fn ldap_searches_are_turns() {
    let report = searched(3, &[]);
    report.assert_marked("plain", Some("ldap"));
    report.assert_totals(&json!({ "exchanges": 3, "reused": 0 }));
}

#[test]
fn ldap_after_start_tls_is_marked() {
    searched(2, &["-ZZ"]).assert_marked("tls", None);
}
