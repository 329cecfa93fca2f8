//! What to do about a finding, in the words of the runtime that the process is: an API of another one would mislead. What
//! the clients do by themselves was read in their sources and documentation.

use super::diagnosis::{Confidence, Finding, time};
use crate::runtime::{GoVersion, Runtime};

/// From this release on Go reads a closed body to its end in the background, if it is short.
const GO_DRAINS: (u16, u16) = (1, 27);

pub(super) fn advice(
    finding: Finding,
    confidence: Confidence,
    runtime: Option<Runtime>,
    values: &[(&'static str, u64)],
) -> String {
    let runtime = runtime.unwrap_or(Runtime::Unknown);
    let value = |name: &str| values.iter().find(|(of, _)| *of == name).map_or(0, |(_, value)| *value);
    match finding {
        Finding::ResponseNotRead if confidence != Confidence::Certain => {
            format!("If this was the rest of a response, read it to its end before closing{}.", read_it(runtime))
        }
        Finding::ResponseNotRead => format!("Read the response to its end before closing it{}.", read_it(runtime)),
        Finding::ClosedAfterResponse => format!("Possible causes, the likeliest first: {}.", candidates(runtime)),
        Finding::PoolTooSmall => format!(
            "The pool keeps {}, {} were in use at once: raise {}.",
            value("kept_idle"),
            value("concurrent"),
            pool_size(runtime)
        ),
        Finding::ClientPerRequest => format!("Use one client for all requests{}.", shared_client(runtime)),
        Finding::ProcessPerRequest => format!("Let one process make many requests: {}.", batch(runtime)),
        Finding::ServerClosesEach if confidence != Confidence::Certain => {
            "See whether the protocol or a setting of the server ends a connection after one request; with HTTP, look for 'Connection: close'."
                .into()
        }
        Finding::ServerClosesEach => {
            "Look for 'Connection: close' or HTTP/1.0 on both sides, and whether the server has keep-alive on.".into()
        }
        Finding::ServerIdleTimeout => format!(
            "Raise the server's keep-alive timeout above the time between requests, or let the client drop idle connections before {}{}.",
            time(value("timeout_us")),
            idle_timeout(runtime)
        ),
        Finding::ClientIdleTimeout => format!(
            "If requests come less often than every {}, raise the time that the client keeps idle connections{}.",
            time(value("timeout_us")),
            idle_timeout(runtime)
        ),
        Finding::StaleConnection => format!(
            "Let the client drop idle connections before the server, a balancer or a firewall does{}.",
            idle_timeout(runtime)
        ),
        Finding::MaxLifetime => "The pool or the server replaces connections of an age: that is as it should be.".into(),
        Finding::RequestCap => "The server limits the requests of a connection: that is as it should be.".into(),
        Finding::PortExhaustion => {
            "Reuse connections: each closed one keeps its local port for a minute. More ports (ip_local_port_range) only delay it."
                .into()
        }
    }
}

fn drains(version: Option<GoVersion>) -> bool {
    version.is_some_and(|GoVersion { major, minor, .. }| (major, minor) >= GO_DRAINS)
}

fn read_it(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Go(version) if drains(version) => {
            ": io.Copy(io.Discard, res.Body) (Go drains at most 256 KiB by itself)"
        }
        Runtime::Go(_) => ": io.Copy(io.Discard, res.Body)",
        Runtime::Node => ": res.resume(), or await response.arrayBuffer() with fetch",
        Runtime::Python | Runtime::Pycurl => ": take response.content, or use 'with' and read the stream",
        Runtime::Java => ": InputStream.readAllBytes()",
        Runtime::Libcurl => ": do not stop in the write callback",
        _ => "",
    }
}

fn candidates(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Go(version) if drains(version) => {
            "a Transport or http.Client for each request; DisableKeepAlives or req.Close; a pool that is full (MaxIdleConnsPerHost)"
        }
        Runtime::Go(_) => {
            "a small body that is closed unread (io.Copy(io.Discard, res.Body) first); a Transport for each request that is closed; DisableKeepAlives or req.Close; a pool that is full (MaxIdleConnsPerHost)"
        }
        Runtime::Node => {
            "an http.Agent without keepAlive: true; 'Connection: close' among the headers; res.destroy() before the end of the response"
        }
        Runtime::Python | Runtime::Pycurl => {
            "requests.get() and its like, which make a Session for each call; a response with stream=True that is closed unread; a pool that is full (pool_maxsize)"
        }
        Runtime::Java => "HttpURLConnection.disconnect(); a body that is closed unread; http.keepAlive=false",
        Runtime::Libcurl => {
            "a handle for each request instead of one that is kept; CURLOPT_FORBID_REUSE; a single URL for each command"
        }
        _ => {
            "a response that is not read to its end; a client or session for each request; keep-alive switched off; a pool that is full"
        }
    }
}

fn pool_size(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Go(_) => "Transport.MaxIdleConnsPerHost (2 unless set)",
        Runtime::Node => "the agent's maxFreeSockets",
        Runtime::Python | Runtime::Pycurl => {
            "the adapter's pool_maxsize (10 with requests, 1 with urllib3, unless set)"
        }
        Runtime::Java => "the pool's size (http.maxConnections for HttpURLConnection, 5 unless set)",
        Runtime::Libcurl => "CURLMOPT_MAXCONNECTS",
        _ => "the number of idle connections that it keeps",
    }
}

fn shared_client(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Go(_) => ": an http.Client and its Transport are made to be shared",
        Runtime::Node => ": one http.Agent with keepAlive: true",
        Runtime::Python | Runtime::Pycurl => ": one requests.Session or its like",
        Runtime::Java => ": an HttpClient is made to be shared",
        Runtime::Libcurl => ": keep the handle, or share its connections (CURLSH)",
        _ => "",
    }
}

fn batch(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Libcurl => "give curl several URLs, or --next between them",
        _ => "batch the calls, or keep a client running",
    }
}

fn idle_timeout(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Go(_) => " (Transport.IdleConnTimeout)",
        Runtime::Node => " (the agent's timeout)",
        Runtime::Java => " (jdk.httpclient.keepalive.timeout)",
        Runtime::Libcurl => " (CURLOPT_MAXAGE_CONN)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINDINGS: [Finding; 12] = [
        Finding::ResponseNotRead,
        Finding::ClosedAfterResponse,
        Finding::PoolTooSmall,
        Finding::ClientPerRequest,
        Finding::ProcessPerRequest,
        Finding::ServerClosesEach,
        Finding::ServerIdleTimeout,
        Finding::ClientIdleTimeout,
        Finding::StaleConnection,
        Finding::RequestCap,
        Finding::MaxLifetime,
        Finding::PortExhaustion,
    ];

    /// Words that belong to one runtime alone.
    const WORDS: [(Runtime, &[&str]); 5] = [
        (Runtime::Go(None), &["io.", "Transport", "http.Client", "req.Close", "MaxIdleConns", "DisableKeepAlives"]),
        (Runtime::Node, &["Agent", "res.resume", "res.destroy", "agent", "fetch", "arrayBuffer"]),
        (
            Runtime::Python,
            &["requests.get", "requests.Session", "Session", "pool_maxsize", "urllib3", "stream=", "response.content"],
        ),
        (Runtime::Java, &["HttpURLConnection", "HttpClient", "InputStream", "jdk.", "http.keepAlive"]),
        (Runtime::Libcurl, &["CURL", "curl", "callback", "--next"]),
    ];

    #[test]
    fn no_api_of_another_runtime_is_named() {
        let runtimes = WORDS.map(|(runtime, _)| Some(runtime)).into_iter().chain([Some(Runtime::Unknown), None]);
        for runtime in runtimes {
            let findings = FINDINGS.map(|finding| [(finding, Confidence::Certain), (finding, Confidence::Possible)]);
            for (finding, confidence) in findings.into_iter().flatten() {
                let advice = advice(finding, confidence, runtime, &[("timeout_us", 1_000_000)]);
                for (other, words) in WORDS.into_iter().filter(|(other, _)| Some(*other) != runtime) {
                    let named = words.iter().find(|word| advice.contains(**word));
                    assert_eq!(named, None, "{other:?} named to {runtime:?}: {advice}");
                }
            }
        }
    }

    #[test]
    fn what_go_does_by_itself_depends_on_its_version() {
        let go = |minor| Some(Runtime::Go(Some(GoVersion { major: 1, minor, patch: None })));
        let candidates = |minor| advice(Finding::ClosedAfterResponse, Confidence::Possible, go(minor), &[]);
        assert!(candidates(19).contains("first: a small body that is closed unread"));
        assert!(!candidates(27).contains("unread"));
        assert!(advice(Finding::ResponseNotRead, Confidence::Certain, go(27), &[]).contains("256 KiB"));
    }
}
