//! Runs every query of the Grafana dashboard and of the rules against a Prometheus that scrapes the tool under all
//! kinds of traffic. A wrong metric or label name would otherwise only show as a panel without data.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{deployed, items, rules, text, yaml};
use crate::support::{
    machine::Machine,
    metrics::start_daemon,
    peer::{self, Peer, ask},
    prometheus::Prometheus,
    sockets::{ReservedPort, bound, connect, local_address},
    tool,
};

/// From the first scrape until the last query returns data.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Whether a query returns a number other than NaN.
fn has_data(prometheus: &Prometheus, query: &str) -> bool {
    prometheus.query(query, "").iter().any(|(_, value)| !value.is_nan())
}

/// Repeats every kind of connection event until it is dropped.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    fn to(peer: SocketAddr, refused: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let thread = spawn(move || {
            let mut idle = peer::connect(peer);
            while !is_stopped.load(SeqCst) {
                ask(&mut idle);
                let mut missed = peer::connect(peer);
                (0..3).for_each(|_| ask(&mut missed));
                drop(missed);
                TcpStream::connect(refused).expect_err("the connect should be refused");
                let first = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
                let second = bound(local_address(&first));
                connect(&first, peer).expect("cannot connect from a free address");
                connect(&second, peer).expect_err("connected twice from the same address");
                sleep(Duration::from_millis(100));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the traffic thread panicked");
        }
    }
}

/// Fills in a query as Grafana does with all values selected.
fn filled_in(query: &str) -> String {
    let mut query = query.replace("$__rate_interval", "10s");
    for variable in ["$instance", "$process", "$destination", "$port"] {
        query = query.replace(variable, ".*");
    }
    assert!(!query.contains('$'), "unknown variable: {query}");
    query
}

/// The queries of all panels and variables.
fn of_dashboard() -> Vec<String> {
    let dashboard = fs::read_to_string(deployed("grafana/dashboard.json")).expect("cannot read the dashboard");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("the dashboard is JSON");
    let panels = items(&dashboard["panels"]).filter(|panel| panel["type"] != "row");
    let panels = panels.flat_map(|panel| {
        assert!(items(&panel["targets"]).count() > 0, "panel without a query: {panel:#}");
        items(&panel["targets"]).map(|target| filled_in(text(&target["expr"])))
    });
    let variables = items(&dashboard["templating"]["list"]).filter(|variable| variable["type"] == "query");
    let variables = variables.map(|variable| {
        let values =
            text(&variable["query"]["query"]).strip_prefix("label_values(").expect("the variable queries label values");
        let (series, label) = values
            .strip_suffix(')')
            .and_then(|values| values.rsplit_once(", "))
            .expect("the variable names a metric and a label");
        filled_in(&format!("group by ({label}) ({series}) unless group({series})"))
    });
    panels.chain(variables).collect()
}

/// The expression of each recording rule; for each alert, which should not fire, the values that it compares.
fn of_rules() -> Vec<String> {
    let compared = |part: &str| {
        let at = [" > ", " < "].iter().filter_map(|comparison| part.rfind(comparison)).max().expect("a comparison");
        part[..at].to_owned()
    };
    let queries = rules::rules().into_iter().flat_map(|rule| {
        let expression = text(&rule["expr"]).trim();
        match rule.get("record") {
            Some(name) => vec![expression.to_owned(), text(name).to_owned()],
            None => expression.split("\n  and ").flat_map(|part| part.split("\n  or ")).map(compared).collect(),
        }
    });
    queries.collect()
}

#[test]
fn every_query_returns_data() {
    let mut machine = Machine::alone();
    machine.measure_programs();
    let (peer, refused, metrics) = (Peer::echo(), ReservedPort::new(), ReservedPort::new().address);
    let ports = format!("{},{}", peer.port(), refused.address.port());
    let _tool = start_daemon(&mut tool::command(&format!("-p {ports}")), metrics);
    let _traffic = Traffic::to(peer.address, refused.address);
    let job = &yaml("prometheus/scrape.yml")[0]["scrape_configs"][0]["job_name"];
    let rule_files = rules::FILES.map(|file| deployed(&format!("prometheus/{file}")));
    let prometheus = Prometheus::start(&[(text(job), metrics)], &rule_files);
    let mut without: Vec<String> = of_dashboard().into_iter().chain(of_rules()).collect();
    assert!(without.len() > 40, "{without:#?}");
    let end = Instant::now() + TIMEOUT;
    while !without.is_empty() {
        assert!(Instant::now() < end, "no data for {without:#?}");
        sleep(Duration::from_millis(500));
        without.retain(|query| !has_data(&prometheus, query));
    }
    let groups = prometheus.ask("rules", &[])["groups"].clone();
    let evaluated: Vec<&Value> = items(&groups).flat_map(|group| items(&group["rules"])).collect();
    assert_eq!(evaluated.len(), rules::rules().len());
    assert!(evaluated.iter().all(|rule| rule["health"] == "ok"), "{evaluated:#?}");
}
