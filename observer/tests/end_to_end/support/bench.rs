//! ApacheBench: many requests, either on one connection each or on a few kept connections.

use super::programs::{output_of, program};

/// The counts that ab reports.
#[derive(Debug)]
pub(crate) struct BenchCounts {
    pub(crate) requests: u64,
    /// Requests whose answer left the connection open.
    pub(crate) kept_alive: u64,
}

/// Runs ab until all of its requests are answered.
pub(crate) fn ab(url: &str, options: &str) -> BenchCounts {
    let text = output_of(program("ab", "apache2-utils").args(["-q"]).args(options.split_whitespace()).arg(url));
    let number = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    assert_eq!((number("Failed requests:"), number("Non-2xx responses:")), (Some(0), None), "{text}");
    BenchCounts {
        requests: number("Complete requests:").unwrap_or_else(|| panic!("ab reports no number of requests: {text}")),
        kept_alive: number("Keep-Alive requests:").unwrap_or(0),
    }
}
