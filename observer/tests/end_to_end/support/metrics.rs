//! A watch with `--metrics`, and the samples of its scrapes.

use std::{
    collections::BTreeMap,
    io::{Read, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
};

use super::{
    eventually, machine::Machine, peer::connect, report::Report, sockets::ReservedPort, tool::Process, watch::Watch,
};

/// The fleet manual, whose steps the tests follow.
pub(crate) const FLEET_MANUAL: &str = include_str!("../../../../docs/FLEET.md");

/// The lines of all code blocks in this language in a manual.
pub(crate) fn code_block(manual: &str, language: &str) -> String {
    let start = format!("```{language}\n");
    let blocks = manual.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let lines: String = blocks.collect();
    assert!(!lines.is_empty(), "the manual has no {language} block");
    lines
}

pub(crate) struct MeteredWatch<'a> {
    pub(crate) watch: Watch<'a>,
    pub(crate) address: SocketAddr,
}

impl<'a> MeteredWatch<'a> {
    pub(crate) fn start(machine: &'a Machine, arguments: &str) -> Self {
        let address = ReservedPort::new().address;
        Self { watch: machine.watch(format!("--metrics {address} {arguments}")), address }
    }

    pub(crate) fn scrape(&self) -> Samples {
        scrape(self.address)
    }

    pub(crate) fn scrape_until(&self, what: &str, condition: impl FnMut(&Samples) -> bool) -> Samples {
        scrape_until(self.address, what, condition)
    }

    pub(crate) fn end(self) -> Report {
        self.watch.end()
    }
}

/// Starts a watch that only serves metrics, and returns once it is attached: it listens earlier, but answers only then.
pub(crate) fn start_daemon(command: &mut Command, metrics: SocketAddr) -> Process {
    let tool = Process::start(command.args(["-o", "none", "--metrics", &metrics.to_string()]));
    eventually("it listens", || TcpStream::connect(metrics).is_ok());
    assert_eq!(get(metrics, "/healthz", "").text(), "ok\n");
    tool
}

/// Scrapes the older text format.
pub(crate) fn scrape(address: SocketAddr) -> Samples {
    Samples::parse(&get(address, "/metrics", "").text())
}

/// Scrapes until the condition holds: counters are read once a second.
pub(crate) fn scrape_until(address: SocketAddr, what: &str, mut condition: impl FnMut(&Samples) -> bool) -> Samples {
    let mut last = scrape(address);
    eventually(what, || {
        last = scrape(address);
        condition(&last)
    });
    last
}

/// An answer of an HTTP/1.1 server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        let status = self.head.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("not an HTTP answer: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The body of a successful answer.
    pub(crate) fn text(&self) -> String {
        assert_eq!(self.status(), 200, "{}", self.head);
        self.body()
    }

    pub(crate) fn body(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is UTF-8")
    }
}

/// Sends a GET request on a new connection. `headers` holds additional header lines, each with its line end.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n"))
}

/// Sends this request, and reads until the server closes the connection.
pub(crate) fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("cannot send");
    read_answer(&mut stream)
}

/// Reads until the server closes the connection.
pub(crate) fn read_answer(stream: &mut impl Read) -> Answer {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("cannot read the answer to the end of the connection");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the head ends with an empty line");
    let body = answer.split_off(end + 4);
    Answer { head: String::from_utf8(answer).expect("a head is UTF-8").to_ascii_lowercase(), body }
}

/// The samples of a scrape, keyed by name and labels as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(pub(crate) BTreeMap<String, f64>);

impl Samples {
    pub(crate) fn parse(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
            let before = samples.insert(series.to_owned(), value.parse().expect("a number"));
            assert_eq!(before, None, "duplicate series: {series}");
        }
        Self(samples)
    }

    /// The sum of all samples with this name and these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> u64 {
        let matches = |series: &str| {
            let (series_name, series_labels) = series.split_once('{').unwrap_or((series, ""));
            series_name == name && labels.iter().all(|label| series_labels.contains(label))
        };
        self.0.iter().filter(|(series, _)| matches(series)).map(|(_, value)| (*value as i64).cast_unsigned()).sum()
    }

    /// New and reused exchanges, summed over all label sets.
    pub(crate) fn exchanges(&self) -> (u64, u64) {
        let of = |connection| self.sum("tcp_reuse_exchanges_total", &[connection]);
        (of(r#"connection="new""#), of(r#"connection="reused""#))
    }

    /// New and reused exchanges of the whole host.
    pub(crate) fn host_exchanges(&self) -> (u64, u64) {
        let of = |connection| self.sum("tcp_reuse_host_exchanges_total", &[connection]);
        (of(r#"connection="new""#), of(r#"connection="reused""#))
    }

    /// Asserts that no counter has decreased or disappeared since `before`.
    #[track_caller]
    pub(crate) fn assert_not_decreased_since(&self, before: &Self) {
        for (series, value) in &before.0 {
            let name = series.split('{').next().expect("a name");
            if ["_total", "_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end)) {
                let now = self.0.get(series);
                assert!(now >= Some(value), "{series} was {value} and is {now:?}");
            }
        }
    }
}
