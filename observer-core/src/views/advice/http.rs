//! HTTP/1 clients. Each runtime has one or two that nearly everyone uses.

use super::client::{ANY, Client, Idle};
use crate::runtime::{GoVersion, Runtime};

/// For certain diagnoses: each response ended its connection.
pub(super) const SERVER_CLOSES_EACH: &str =
    "Look for 'Connection: close' or HTTP/1.0 on both sides, and whether the server has keep-alive on.";

/// Since this release Go drains a closed body in the background, if it is short.
const GO_DRAINS: (u16, u16) = (1, 27);

pub(super) fn client(runtime: Runtime) -> Client {
    match runtime {
        Runtime::Go(version) if drains(version) => GO_THAT_DRAINS,
        Runtime::Go(_) => GO,
        Runtime::Node => NODE,
        Runtime::Python => PYTHON,
        Runtime::Pycurl => PYCURL,
        Runtime::Java => JAVA,
        Runtime::Ruby => RUBY,
        Runtime::Php => PHP,
        Runtime::DotNet => DOTNET,
        Runtime::Rust => RUST,
        Runtime::Erlang => ERLANG,
        Runtime::Perl => PERL,
        Runtime::Libcurl => LIBCURL,
        Runtime::Unknown => ANY,
    }
}

fn drains(version: Option<GoVersion>) -> bool {
    version.is_some_and(|GoVersion { major, minor, .. }| (major, minor) >= GO_DRAINS)
}

const GO: Client = Client {
    read: Some("io.Copy(io.Discard, res.Body)"),
    causes: "a small body that is closed unread (io.Copy(io.Discard, res.Body) first); a Transport for each request that is closed; DisableKeepAlives or req.Close; a pool that is full (MaxIdleConnsPerHost)",
    pool_size: "Transport.MaxIdleConnsPerHost (2 unless set)",
    share: Some("an http.Client and its Transport are made to be shared"),
    idle: Idle::Dropped(Some("Transport.IdleConnTimeout")),
    ..ANY
};

const GO_THAT_DRAINS: Client = Client {
    read: Some("io.Copy(io.Discard, res.Body) (Go drains at most 256 KiB by itself)"),
    causes: "a Transport or http.Client for each request; DisableKeepAlives or req.Close; a pool that is full (MaxIdleConnsPerHost)",
    ..GO
};

const NODE: Client = Client {
    read: Some("res.resume(), or await response.arrayBuffer() with fetch"),
    causes: "an http.Agent without keepAlive: true; 'Connection: close' among the headers; res.destroy() before the end of the response",
    pool_size: "the agent's maxFreeSockets",
    share: Some("one http.Agent with keepAlive: true"),
    idle: Idle::Dropped(Some("the agent's timeout")),
    ..ANY
};

const PYTHON: Client = Client {
    read: Some("take response.content, or use 'with' and read the stream"),
    causes: "requests.get() and its like, which make a Session for each call; a response with stream=True that is closed unread; a pool that is full (pool_maxsize)",
    pool_size: "the adapter's pool_maxsize (10 with requests, 1 with urllib3, unless set)",
    share: Some("one requests.Session or its like"),
    idle: Idle::Dropped(Some("keepalive_expiry of httpx, 5 s unless set; keepalive_timeout of aiohttp, 15 s")),
    ..ANY
};

/// Names both clients, because nothing shows which one is in use.
const PYCURL: Client = Client {
    read: Some("with pycurl, do not stop in WRITEFUNCTION; with requests, take response.content"),
    causes: "a pycurl.Curl() for each request, or pycurl.FORBID_REUSE; requests.get() and its like, which make a Session for each call; a pool that is full",
    pool_size: "CURLMOPT_MAXCONNECTS (pycurl.M_MAXCONNECTS), or the adapter's pool_maxsize with requests",
    share: Some("one pycurl.Curl() that is kept, or one requests.Session"),
    idle: Idle::Dropped(Some("pycurl.MAXAGE_CONN")),
    ..ANY
};

const JAVA: Client = Client {
    read: Some("InputStream.readAllBytes()"),
    causes: "HttpURLConnection.disconnect(); a body that is closed unread; http.keepAlive=false",
    pool_size: "the pool's size (http.maxConnections for HttpURLConnection, 5 unless set)",
    share: Some("an HttpClient is made to be shared"),
    idle: Idle::Dropped(Some("jdk.httpclient.keepalive.timeout")),
    ..ANY
};

const RUBY: Client = Client {
    read: Some("do not leave the block of read_body early"),
    causes: "Net::HTTP.get and its like, which connect for each call; Net::HTTP.start around a single request; 'Connection: close' among the headers",
    pool_size: "the pool_size of Net::HTTP::Persistent",
    share: Some("one Net::HTTP.start block around them, or Net::HTTP::Persistent"),
    idle: Idle::Dropped(Some("keep_alive_timeout of Net::HTTP, 2 s unless set")),
    ..ANY
};

const PHP: Client = Client {
    read: Some("do not stop in CURLOPT_WRITEFUNCTION; read a stream until feof()"),
    causes: "file_get_contents(), which closes after each call; a curl_init() or a GuzzleHttp\\Client for each request; CURLOPT_FORBID_REUSE",
    pool_size: "CURLMOPT_MAXCONNECTS by curl_multi_setopt(), or CURLOPT_MAXCONNECTS by curl_setopt()",
    share: Some("keep the handle of curl_init(), or one GuzzleHttp\\Client"),
    idle: Idle::Dropped(Some("CURLOPT_MAXAGE_CONN by curl_setopt()")),
    ..ANY
};

const DOTNET: Client = Client {
    read: Some("read the content to its end before you dispose the HttpResponseMessage"),
    causes: "an HttpClient for each request that is disposed; DefaultRequestHeaders.ConnectionClose; a PooledConnectionLifetime of zero",
    pool_size: "SocketsHttpHandler.MaxConnectionsPerServer, if it is set",
    share: Some("one static HttpClient, or IHttpClientFactory"),
    idle: Idle::Dropped(Some("SocketsHttpHandler.PooledConnectionIdleTimeout")),
    ..ANY
};

const RUST: Client = Client {
    read: Some("await response.bytes() before it is dropped"),
    causes: "a reqwest::Client or a ureq::Agent for each request, as reqwest::get() and ureq::get() make one; a Response that is dropped unread; a pool that is full",
    pool_size: "pool_max_idle_per_host (reqwest, hyper) or max_idle_connections_per_host (ureq)",
    share: Some("a reqwest::Client or a ureq::Agent is made to be cloned"),
    idle: Idle::Dropped(Some("pool_idle_timeout of reqwest, max_idle_age of ureq")),
    ..ANY
};

const ERLANG: Client = Client {
    causes: "a pool that is full (max_sessions of httpc, max_connections of hackney); a Gun or Mint connection for each request; 'Connection: close' among the headers",
    pool_size: "max_sessions of httpc (2 unless set), or max_connections of hackney's pool",
    share: Some("one httpc profile, one hackney pool, or one Gun connection that is kept"),
    idle: Idle::Dropped(Some("keep_alive_timeout of httpc")),
    ..ANY
};

const PERL: Client = Client {
    causes: "an LWP::UserAgent without keep_alive; an HTTP::Tiny for each request; 'Connection: close' among the headers",
    pool_size: "keep_alive of LWP::UserAgent, which is how many it keeps",
    share: Some("one LWP::UserAgent with keep_alive, or one HTTP::Tiny"),
    ..ANY
};

const LIBCURL: Client = Client {
    read: Some("do not stop in the write callback"),
    causes: "a handle for each request instead of one that is kept; CURLOPT_FORBID_REUSE; a single URL for each command",
    pool_size: "CURLMOPT_MAXCONNECTS",
    share: Some("keep the handle, or share its connections (CURLSH)"),
    batch: "give curl several URLs, or --next between them",
    idle: Idle::Dropped(Some("CURLOPT_MAXAGE_CONN")),
    ..ANY
};
