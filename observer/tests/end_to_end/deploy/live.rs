//! Every query of the dashboard and of the rules, against a Prometheus that scrapes the tool under traffic of every kind: a
//! name or a label that does not exist shows as a panel without data, and nowhere else.

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
    peer::{self, Peer, ask},
    programs::{output_of, program},
    service::{self, Service},
    sockets::{Closed, bound, connect, local_address},
    tool::{self, Process},
};

/// From the first scrape to the last query that has data.
const PATIENCE: Duration = Duration::from_secs(40);

/// A Prometheus that scrapes and evaluates every second.
struct Prometheus {
    address: SocketAddr,
    _service: Service,
}

impl Prometheus {
    fn scraping(target: SocketAddr) -> Self {
        let (folder, port) = (service::folder(), Closed::new());
        let address = port.address;
        let rules: Vec<_> = rules::FILES.iter().map(|file| deployed(&format!("prometheus/{file}"))).collect();
        let config = serde_json::json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": rules,
            "scrape_configs": [{
                "job_name": yaml("prometheus/scrape.yml")[0]["scrape_configs"][0]["job_name"],
                "static_configs": [{ "targets": [target.to_string()] }],
            }],
        });
        // JSON is YAML too.
        fs::write(folder.path().join("prometheus.yml"), config.to_string()).expect("a file can be written");
        let mut prometheus = program("prometheus", "prometheus");
        prometheus.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        prometheus.arg(format!("--web.listen-address={address}"));
        Self { address, _service: Service::start(&mut prometheus, folder, [port]) }
    }

    fn ask(&self, path: &str, arguments: &[&str]) -> Value {
        let mut curl = program("curl", "curl");
        curl.args(["-sG", &format!("http://{}/api/v1/{path}", self.address)]);
        for argument in arguments {
            curl.args(["--data-urlencode", argument]);
        }
        let answer: Value = serde_json::from_str(&output_of(&mut curl)).expect("it answers with JSON");
        assert_eq!(answer["status"], "success", "{arguments:?}: {answer:#}");
        answer["data"].clone()
    }

    /// Whether a query gives a number, and not only series of none.
    fn has_data(&self, query: &str) -> bool {
        let data = self.ask("query", &[&format!("query={query}")]);
        items(&data["result"]).any(|series| series["value"][1] != "NaN")
    }
}

/// Whatever can happen to connections, again and again until it is dropped.
struct Traffic {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    fn to(peer: SocketAddr, refused: SocketAddr) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = spawn(move || {
            let mut idle = peer::connect(peer);
            while !told.load(SeqCst) {
                ask(&mut idle);
                let mut missed = peer::connect(peer);
                (0..3).for_each(|_| ask(&mut missed));
                drop(missed);
                TcpStream::connect(refused).expect_err("nobody listens");
                let first = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
                let second = bound(local_address(&first));
                connect(&first, peer).expect("its address is free");
                connect(&second, peer).expect_err("its address is taken");
                sleep(Duration::from_millis(100));
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ends.store(true, SeqCst);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the traffic has failed");
        }
    }
}

/// As Grafana would fill it in, with all chosen.
fn filled_in(query: &str) -> String {
    let mut query = query.replace("$__rate_interval", "10s");
    for variable in ["$instance", "$process", "$destination", "$port"] {
        query = query.replace(variable, ".*");
    }
    assert!(!query.contains('$'), "an unknown variable: {query}");
    query
}

/// Every query of every panel and of every variable.
fn of_dashboard() -> Vec<String> {
    let dashboard = fs::read_to_string(deployed("grafana/dashboard.json")).expect("it can be read");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("it is JSON");
    let panels = items(&dashboard["panels"]).filter(|panel| panel["type"] != "row");
    let panels = panels.flat_map(|panel| {
        assert!(items(&panel["targets"]).count() > 0, "a panel without a query: {panel:#}");
        items(&panel["targets"]).map(|target| filled_in(text(&target["expr"])))
    });
    let variables = items(&dashboard["templating"]["list"]).filter(|variable| variable["type"] == "query");
    let variables = variables.map(|variable| {
        let values = text(&variable["query"]["query"]).strip_prefix("label_values(").expect("values of a label");
        let (series, label) =
            values.strip_suffix(')').and_then(|values| values.rsplit_once(", ")).expect("of a metric");
        filled_in(&format!("group by ({label}) ({series}) unless group({series})"))
    });
    panels.chain(variables).collect()
}

/// What each rule asks for; of an alert, which should have nothing to say, what it compares.
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
    let (peer, refused, metrics) = (Peer::echo(), Closed::new(), Closed::new().address);
    let ports = format!("{},{}", peer.port(), refused.address.port());
    let _tool = Process::start(&mut tool::command(&format!("-o none --metrics {metrics} -p {ports}")));
    let _traffic = Traffic::to(peer.address, refused.address);
    let prometheus = Prometheus::scraping(metrics);
    let mut without: Vec<String> = of_dashboard().into_iter().chain(of_rules()).collect();
    assert!(without.len() > 40, "{without:#?}");
    let end = Instant::now() + PATIENCE;
    while !without.is_empty() {
        assert!(Instant::now() < end, "no data for {without:#?}");
        sleep(Duration::from_millis(500));
        without.retain(|query| !prometheus.has_data(query));
    }
    let groups = prometheus.ask("rules", &[])["groups"].clone();
    let evaluated: Vec<&Value> = items(&groups).flat_map(|group| items(&group["rules"])).collect();
    assert_eq!(evaluated.len(), rules::rules().len());
    assert!(evaluated.iter().all(|rule| rule["health"] == "ok"), "{evaluated:#?}");
}
