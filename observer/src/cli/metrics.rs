//! `--metrics` and its options.

use std::{
    ffi::OsStr,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{
    Args, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser as _},
};

use super::parse::duration;
use observer_core::{printable::printable, series};

/// Unallocated in the Prometheus wiki, "Default port allocations".
const PORT: &str = "9716";

const ACCEPTED: &str = "use PORT, ADDRESS:PORT, [IPv6]:PORT or :PORT (every interface), such as 9716, or unix:PATH";

/// The longest path of a Unix socket (unix(7): `sun_path` has 108 bytes, the last of which is zero).
const MAX_PATH_BYTES: usize = 107;

/// Where metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetricsPlace {
    Port(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for MetricsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "unix:{}", printable(&path.to_string_lossy())),
        }
    }
}

/// A label of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Label {
    /// Process name
    Process,
    /// Remote address
    Destination,
    /// Remote port
    Port,
    /// Container or systemd unit of the process, else its cgroup
    Cgroup,
}

impl From<Label> for series::Label {
    fn from(label: Label) -> Self {
        match label {
            Label::Process => Self::Process,
            Label::Destination => Self::Destination,
            Label::Port => Self::Port,
            Label::Cgroup => Self::Cgroup,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Metrics {
    /// Serve Prometheus metrics at this address, or at a Unix socket that its owner and its group may use [default without
    /// a value: 127.0.0.1:9716]
    #[arg(
        id = "metrics",
        long,
        value_name = "[HOST:]PORT|unix:PATH",
        num_args = 0..=1,
        default_missing_value = PORT,
        value_parser = OsStringValueParser::new().try_map(|text| place(&text))
    )]
    pub(crate) place: Option<MetricsPlace>,

    /// Allow a --metrics address that other machines can reach, and requests for any host; protect it with a proxy that adds
    /// TLS and authentication
    #[arg(id = "metrics-allow-remote", long, requires = "metrics")]
    pub(crate) allow_remote: bool,

    /// Labels of the series, separated by commas
    #[arg(
        id = "metrics-labels",
        long,
        value_enum,
        value_name = "LABELS",
        value_delimiter = ',',
        default_value = "process,destination,port",
        requires = "metrics"
    )]
    pub(crate) labels: Vec<Label>,

    /// Keep up to N label sets, and count the rest in one with overflow="true"
    #[arg(id = "metrics-series", long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000), requires = "metrics")]
    pub(crate) series: u32,

    /// Drop a label set after this time without open connections or new counts
    #[arg(id = "metrics-expiry", long, value_name = "TIME", default_value = "1h", value_parser = duration, requires = "metrics")]
    pub(crate) expiry: Duration,
}

impl Metrics {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.place {
            Some(MetricsPlace::Port(address)) if !address.ip().to_canonical().is_loopback() && !self.allow_remote => {
                Err(format!(
                    "other machines can reach --metrics {address}: use 127.0.0.1, or add --metrics-allow-remote \
                 (docs/FLEET.md shows how to protect it by a proxy with TLS and authentication)"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Parses the value of `--metrics`.
fn place(text: &OsStr) -> Result<MetricsPlace, String> {
    if let Some(path) = text.as_bytes().strip_prefix(b"unix:") {
        return socket_path(OsStr::from_bytes(path)).map(MetricsPlace::Socket);
    }
    address(text.to_str().ok_or(ACCEPTED)?).map(MetricsPlace::Port)
}

fn socket_path(path: &OsStr) -> Result<PathBuf, String> {
    if path.len() > MAX_PATH_BYTES {
        return Err(format!("the path of a Unix socket has at most {MAX_PATH_BYTES} bytes"));
    }
    let path = Path::new(path);
    path.file_name().ok_or("the path must name a file, such as unix:/run/tcp-reuse-watch.sock")?;
    Ok(path.into())
}

/// Parses a port on loopback, a port on every interface (`:9716`), or a host and a port.
fn address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = text.rsplit_once(':').map_or((None, text), |(host, port)| (Some(host), port));
    let port: u16 = port.parse().map_err(|_| ACCEPTED)?;
    let ip: IpAddr = match host {
        None => Ipv4Addr::LOCALHOST.into(),
        Some("") => Ipv6Addr::UNSPECIFIED.into(),
        Some(_) => return resolve(text),
    };
    Ok((ip, port).into())
}

/// Resolves an address, or a name such as `localhost`.
fn resolve(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let first = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    first.ok_or_else(|| format!("unknown host; {ACCEPTED}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{super::Cli, *};

    fn metrics(arguments: &str) -> Result<Metrics, String> {
        let words = ["x"].into_iter().chain(arguments.split_whitespace());
        let metrics = Cli::try_parse_from(words).map_err(|error| error.to_string())?.watch.metrics;
        metrics.check().map(|()| metrics)
    }

    #[test]
    fn address_is_loopback_by_default() {
        for (arguments, address) in [
            ("", None),
            ("--metrics", Some("127.0.0.1:9716")),
            ("--metrics -o none", Some("127.0.0.1:9716")),
            ("--metrics 9999", Some("127.0.0.1:9999")),
            ("--metrics 127.0.0.2:1", Some("127.0.0.2:1")),
            ("--metrics [::1]:9716", Some("[::1]:9716")),
            ("--metrics :9716 --metrics-allow-remote", Some("[::]:9716")),
            ("--metrics 10.0.0.1:80 --metrics-allow-remote", Some("10.0.0.1:80")),
        ] {
            let place = address.map(|address| MetricsPlace::Port(address.parse().unwrap()));
            assert_eq!(metrics(arguments).unwrap().place, place, "{arguments}");
        }
        let Some(MetricsPlace::Port(localhost)) = metrics("--metrics localhost:9716").unwrap().place else {
            panic!("not a port")
        };
        assert!(localhost.ip().is_loopback());
    }

    #[test]
    fn sockets_have_paths_of_any_bytes() {
        for path in [b"/run/x.sock".as_slice(), b"x", b"a/\xff\x1b", b"/x:80", &[b'x'; MAX_PATH_BYTES]] {
            let argument = [b"--metrics=unix:", path].concat();
            let cli = Cli::try_parse_from([OsStr::new("x"), OsStr::from_bytes(&argument)]).unwrap();
            let place = cli.watch.metrics.place.unwrap();
            assert_eq!(place, MetricsPlace::Socket(OsStr::from_bytes(path).into()));
            assert!(!place.to_string().contains('\x1b'), "{place}");
        }
    }

    #[test]
    fn remote_address_needs_its_option() {
        for address in [":9716", "0.0.0.0:9716", "[::]:9716", "10.0.0.1:9716", "[fd00::1]:9716"] {
            let error = metrics(&format!("--metrics {address}")).unwrap_err();
            assert!(error.contains("--metrics-allow-remote") && error.contains(":9716"), "{error}");
        }
    }

    #[test]
    fn errors_name_the_value_and_the_accepted_ones() {
        for (arguments, value, accepted) in [
            ("--metrics x", "'x'", "[IPv6]:PORT"),
            ("--metrics 70000", "70000", "PORT"),
            ("--metrics unix:", "unix:", "unix:/run/"),
            ("--metrics unix:/", "unix:/", "unix:/run/"),
            (&format!("--metrics unix:{}", "x".repeat(MAX_PATH_BYTES + 1)), "unix:x", "107 bytes"),
            ("--metrics no-such-host.invalid:80", "no-such-host.invalid", "unknown host"),
            ("--metrics --metrics-labels pid", "'pid'", "process"),
            ("--metrics --metrics-series 0", "'0'", "1"),
            ("--metrics --metrics-expiry soon", "soon", "90s"),
            ("--metrics-allow-remote", "--metrics", "required"),
            ("--metrics-labels process", "--metrics", "required"),
            ("--metrics-series 9", "--metrics", "required"),
            ("--metrics-expiry 1h", "--metrics", "required"),
        ] {
            let error = metrics(arguments).unwrap_err();
            assert!(error.contains(value) && error.contains(accepted), "{arguments}: {error}");
        }
    }

    #[test]
    fn labels_series_and_expiry_have_defaults() {
        let defaults = metrics("--metrics").unwrap();
        assert_eq!(defaults.labels, [Label::Process, Label::Destination, Label::Port]);
        assert_eq!((defaults.series, defaults.expiry), (200, Duration::from_hours(1)));
        let chosen = metrics("--metrics 1 --metrics-labels port --metrics-series 5 --metrics-expiry 90s").unwrap();
        assert_eq!((chosen.labels, chosen.series, chosen.expiry), (vec![Label::Port], 5, Duration::from_secs(90)));
    }
}
