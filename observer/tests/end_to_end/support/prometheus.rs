//! A real Prometheus, with a configuration and data of its own, which scrapes every second; and its promtool.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    process::{Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    metrics::get,
    programs::program,
    service::{Service, folder},
    sockets::Closed,
};

const PACKAGE: &str = "prometheus";

/// It takes five seconds to look at its targets (discovery/manager.go, `updatert`).
const TO_SCRAPE: Duration = Duration::from_secs(20);

pub(crate) struct Prometheus {
    _service: Service,
    address: SocketAddr,
}

impl Prometheus {
    /// Scrapes each of these, as a job of this name, and has begun to.
    pub(crate) fn start(jobs: &[(&str, SocketAddr)]) -> Self {
        let folder = folder();
        let job = |(name, address): &(&str, SocketAddr)| {
            format!("  - {{job_name: {name}, static_configs: [{{targets: ['{address}']}}]}}\n")
        };
        let targets: Vec<String> = jobs.iter().map(job).collect();
        let global = "global: {scrape_interval: 1s, scrape_timeout: 1s}";
        let config = format!("{global}\nscrape_configs:\n{}", targets.concat());
        fs::write(folder.path().join("prometheus.yml"), config).expect("the file can be written");
        let port = Closed::new();
        let address = port.address;
        let mut prometheus = program("prometheus", PACKAGE);
        prometheus.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]);
        prometheus.arg(format!("--web.listen-address={address}"));
        let prometheus = Self { _service: Service::start(&mut prometheus, folder, [port]), address };
        let end = Instant::now() + TO_SCRAPE;
        while prometheus.query("up == 1", "job").len() < jobs.len() {
            assert!(Instant::now() < end, "Prometheus does not scrape");
            sleep(Duration::from_millis(50));
        }
        prometheus
    }

    /// Whether a target has a family of this name. OpenMetrics leaves `_total` out of it.
    pub(crate) fn has_family(&self, name: &str) -> bool {
        get(self.address, &format!("/api/v1/metadata?metric={name}"), "").text().contains("\"type\"")
    }

    /// The values that an instant query gives, each with the label `by`.
    pub(crate) fn query(&self, query: &str, by: &str) -> Vec<(String, f64)> {
        let answer = get(self.address, &format!("/api/v1/query?query={}", escaped(query)), "");
        // It sends what is longer in chunks.
        let text = answer.text();
        let json = text.lines().find(|line| line.starts_with('{')).unwrap_or(&text);
        let answer: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let value = |sample: &Value| sample["value"][1].as_str().and_then(|value| value.parse().ok()).expect("a value");
        let label = |sample: &Value| sample["metric"][by].as_str().unwrap_or_default().to_owned();
        let samples = answer["data"]["result"].as_array().expect("a vector");
        let mut values: Vec<_> = samples.iter().map(|sample| (label(sample), value(sample))).collect();
        values.sort_by(|(a, _), (b, _)| a.cmp(b));
        values
    }
}

fn escaped(query: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    query.bytes().map(escape).collect()
}

/// promtool finds nothing to say about this text.
#[track_caller]
pub(crate) fn assert_checked_by_promtool(text: &str) {
    let mut promtool = program("promtool", PACKAGE);
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = promtool.spawn().expect("it can be run");
    let mut stdin = process.stdin.take().expect("the pipe was asked for");
    stdin.write_all(text.as_bytes()).expect("it reads all");
    drop(stdin);
    let Output { status, stdout, stderr } = process.wait_with_output().expect("it ends");
    let said = [stdout, stderr].concat();
    assert_eq!((status.code(), String::from_utf8_lossy(&said).as_ref()), (Some(0), ""), "{text}");
}
