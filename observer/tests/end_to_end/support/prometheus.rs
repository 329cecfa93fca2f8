//! A real Prometheus and its promtool. The server has its own configuration and data, and scrapes every second.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::PathBuf,
    process::{Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    programs::{output_of, program},
    service::{Service, folder},
    sockets::ReservedPort,
};

const PACKAGE: &str = "prometheus";

/// Prometheus applies its targets every five seconds (discovery/manager.go, `updatert`).
const SCRAPE_TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) struct Prometheus {
    _service: Service,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts Prometheus, and returns once it has scraped each of these targets, as a job of this name. It evaluates
    /// the rules in these files.
    pub(crate) fn start(jobs: &[(&str, SocketAddr)], rules: &[PathBuf]) -> Self {
        let folder = folder();
        let job = |(name, address): &(&str, SocketAddr)| json!({ "job_name": name, "static_configs": [{ "targets": [address.to_string()] }] });
        let config = json!({
            "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
            "rule_files": rules,
            "scrape_configs": jobs.iter().map(job).collect::<Vec<_>>(),
        });
        // JSON is valid YAML.
        fs::write(folder.path().join("prometheus.yml"), config.to_string()).expect("cannot write the file");
        let port = ReservedPort::new();
        let address = port.address;
        let mut prometheus = program("prometheus", PACKAGE);
        prometheus.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]);
        prometheus.arg(format!("--web.listen-address={address}"));
        let prometheus = Self { _service: Service::start(&mut prometheus, folder, [port]), address };
        let end = Instant::now() + SCRAPE_TIMEOUT;
        while prometheus.query("up == 1", "job").len() < jobs.len() {
            assert!(Instant::now() < end, "Prometheus has not scraped all targets");
            sleep(Duration::from_millis(50));
        }
        prometheus
    }

    /// Queries the API at this path with these arguments (`name=value`).
    pub(crate) fn ask(&self, path: &str, arguments: &[&str]) -> Value {
        let mut curl = program("curl", "curl");
        curl.args(["-sG", "--noproxy", "*", &format!("http://{}/api/v1/{path}", self.address)]);
        for argument in arguments {
            curl.args(["--data-urlencode", argument]);
        }
        let answer: Value = serde_json::from_str(&output_of(&mut curl)).expect("the answer is JSON");
        assert_eq!(answer["status"], "success", "{arguments:?}: {answer:#}");
        answer["data"].clone()
    }

    /// Whether a target has a metric family of this name. OpenMetrics omits `_total` from it.
    pub(crate) fn has_family(&self, name: &str) -> bool {
        self.ask("metadata", &[&format!("metric={name}")]) != json!({})
    }

    /// The values of an instant query, each with its label `by`.
    pub(crate) fn query(&self, query: &str, by: &str) -> Vec<(String, f64)> {
        let data = self.ask("query", &[&format!("query={query}")]);
        let value = |sample: &Value| sample["value"][1].as_str().and_then(|value| value.parse().ok()).expect("a value");
        let label = |sample: &Value| sample["metric"][by].as_str().unwrap_or_default().to_owned();
        let samples = data["result"].as_array().expect("a vector");
        let mut values: Vec<_> = samples.iter().map(|sample| (label(sample), value(sample))).collect();
        values.sort_by(|(a, _), (b, _)| a.cmp(b));
        values
    }
}

/// Asserts that promtool accepts this text without a complaint.
#[track_caller]
pub(crate) fn assert_checked_by_promtool(text: &str) {
    let mut promtool = program("promtool", PACKAGE);
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = promtool.spawn().expect("cannot run promtool");
    let mut stdin = process.stdin.take().expect("the stream is piped");
    stdin.write_all(text.as_bytes()).expect("cannot write to promtool");
    drop(stdin);
    let Output { status, stdout, stderr } = process.wait_with_output().expect("cannot wait for promtool");
    let output = [stdout, stderr].concat();
    assert_eq!((status.code(), String::from_utf8_lossy(&output).as_ref()), (Some(0), ""), "{text}");
}
