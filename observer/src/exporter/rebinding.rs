//! Protection against DNS rebinding. A web page may point its own name at 127.0.0.1 and then read the metrics with its
//! visitor's browser. Such a request names the page's host, which has a dot. So on loopback the host must be an IP
//! address, a name without a dot, or absent.

use std::{borrow::Cow, net::IpAddr};

use hyper::{
    Request, StatusCode,
    header::{HOST, HeaderValue},
};
use observer_core::printable::printable;

/// The number of characters of a refused host that the answer repeats.
const SHOWN: usize = 80;

/// Which hosts a request may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    Local,
    /// Other machines have names for this one, and no browser reaches a Unix socket.
    Any,
}

impl Hosts {
    /// Refuses a request for a host that it may not name, with the status and the text of the answer.
    pub(super) fn check<B>(self, request: &Request<B>) -> Result<(), (StatusCode, String)> {
        match self {
            Self::Local => check(request),
            Self::Any => Ok(()),
        }
    }
}

/// The authority of an absolute request target replaces the Host header (RFC 9112, 3.2.2).
fn check<B>(request: &Request<B>) -> Result<(), (StatusCode, String)> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err((StatusCode::BAD_REQUEST, "more than one Host header; send one\n".into()));
    }
    let host = match request.uri().authority() {
        Some(authority) => Cow::from(authority.as_str()),
        None => String::from_utf8_lossy(header.map(HeaderValue::as_bytes).unwrap_or_default()),
    };
    if is_local(&host) { Ok(()) } else { Err((StatusCode::FORBIDDEN, refusal(&host))) }
}

fn refusal(host: &str) -> String {
    let shown: String = host.chars().take(SHOWN).collect();
    let cut = if shown.len() < host.len() { "..." } else { "" };
    format!(
        "refused, because this request is for the host \"{}{cut}\": a web page could read the metrics in this way (DNS \
         rebinding).\nUse an IP address or localhost in the URL. In a proxy, set the Host header to localhost. \
         --metrics-allow-remote turns this check off.\n",
        printable(&shown)
    )
}

/// Whether `host[:port]` is an IP address, a name without a dot, or empty. A dot at the end only marks the root.
fn is_local(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| matches!(address.parse(), Ok(IpAddr::V6(_))));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_name || matches!(name.parse(), Ok(IpAddr::V4(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(target: &str, hosts: &[&[u8]]) -> u16 {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check(&request.body(()).unwrap()).map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn addresses_and_names_without_a_dot_are_local() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9716",
            "127.0.0.1.",
            "10.1.2.3:80",
            "[::1]",
            "[::1]:9716",
            "[::ffff:127.0.0.1]:1",
            "[FD00::1]",
            "localhost",
            "localhost:9716",
            "LOCALHOST:9716",
            "localhost.",
            "localhost.:9716",
            "localhost:",
            "web-1",
            "tcp_reuse_watch",
            "",
        ] {
            assert_eq!(status("/metrics", &[host.as_bytes()]), 200, "{host}");
        }
        assert_eq!(status("/metrics", &[]), 200, "HTTP/1.0 needs no Host");
    }

    #[test]
    fn other_names_are_foreign() {
        for host in [
            "evil.example",
            "evil.example:9716",
            "EVIL.EXAMPLE",
            "evil.example.",
            "localhost.evil.example",
            "127.0.0.1.evil.example:9716",
            "127.0.0.1.nip.io",
            "evil.localhost",
            "localhost..",
            ".localhost",
            "localhost:x",
            "localhost:evil.example",
            "localhost@evil.example",
            "[::1",
            "[::1].evil.example",
            "[evil.example]",
            "[127.0.0.1]",
            "[::1]evil:80",
            "::1",
            "127.1",
            "127.0.0.256",
            "evil%2eexample",
            "localhost, evil.example",
            "local host",
            "evil\u{3002}example",
        ] {
            assert_eq!(status("/metrics", &[host.as_bytes()]), 403, "{host}");
        }
        assert_eq!(status("/metrics", &[b"\xff"]), 403);
    }

    #[test]
    fn authority_of_the_target_counts() {
        assert_eq!(status("http://evil.example/metrics", &[b"localhost"]), 403);
        assert_eq!(status("http://evil.example/metrics", &[]), 403);
        assert_eq!(status("http://localhost@evil.example/metrics", &[b"localhost"]), 403);
        assert_eq!(status("http://127.0.0.1:9716/metrics", &[b"evil.example"]), 200);
        assert_eq!(status("http://[::1]:9716/metrics", &[]), 200);
    }

    #[test]
    fn several_hosts_are_a_bad_request() {
        assert_eq!(status("/metrics", &[b"localhost", b"localhost"]), 400);
        assert_eq!(status("http://localhost/metrics", &[b"localhost", b"evil.example"]), 400);
    }

    #[test]
    fn refusal_names_the_host_and_the_remedy() {
        let text = refusal("evil\u{1b}.example");
        assert!(text.contains("\"evil\\u{1b}.example\"") && text.contains("localhost"), "{text}");
        assert!(refusal(&"é".repeat(10_000)).len() < 600);
    }
}
