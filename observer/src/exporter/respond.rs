//! The HTTP resources: /metrics, /healthz and an index.

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{negotiate, page::Page, rebinding::Hosts};

const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const INDEX: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>tcp-reuse-watch</title>\n\
                     <h1>tcp-reuse-watch</h1>\n<p><a href=\"/metrics\">metrics</a>\n";

pub(super) type PageResponse = Response<Full<Bytes>>;

pub(super) fn respond<B: Body>(request: &Request<B>, hosts: Hosts, page: &Page) -> PageResponse {
    if let Err((status, text)) = hosts.check(request) {
        return closing(plain(status, text));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n".into());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return closing(response);
    }
    if !request.body().is_end_stream() {
        return closing(plain(StatusCode::PAYLOAD_TOO_LARGE, "requests must not have a body\n".into()));
    }
    match request.uri().path() {
        "/metrics" => metrics(request, page),
        "/healthz" => match page.stale_age() {
            None => plain(StatusCode::OK, "ok\n".into()),
            Some(age) => {
                plain(StatusCode::SERVICE_UNAVAILABLE, format!("the counters were last read {} s ago\n", age.as_secs()))
            }
        },
        "/" => with(StatusCode::OK, HTML, INDEX.into()),
        _ => plain(StatusCode::NOT_FOUND, "not found; try /metrics or /healthz\n".into()),
    }
}

fn metrics<B>(request: &Request<B>, page: &Page) -> PageResponse {
    let wanted = |name: HeaderName| {
        let values = request.headers().get_all(name);
        values.iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
    };
    let format = negotiate::format(&wanted(ACCEPT));
    if !negotiate::accepts_gzip(&wanted(ACCEPT_ENCODING)) {
        return with(StatusCode::OK, format.content_type(), page.plain(format));
    }
    let mut response = with(StatusCode::OK, format.content_type(), page.gzip(format));
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

fn plain(status: StatusCode, text: String) -> PageResponse {
    with(status, PLAIN, text.into())
}

fn with(status: StatusCode, content_type: &'static str, body: Bytes) -> PageResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Closes the connection after this response.
fn closing(mut response: PageResponse) -> PageResponse {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use http_body_util::{BodyExt as _, Empty};

    use super::*;
    use observer_core::{model::WatchInfo, series::Scrape};

    fn page(age: Duration) -> Page {
        Page::new(Arc::new(WatchInfo::default()), Scrape::default()).aged(age)
    }

    fn send(method: Method, path: &str, page: &Page) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Empty::<Bytes>::new()).unwrap();
        let response = respond(&request, Hosts::Local, page);
        let status = response.status().as_u16();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[test]
    fn stale_counters_are_unhealthy() {
        assert_eq!(send(Method::GET, "/healthz", &page(Duration::ZERO)), (200, "ok\n".into()));
        // Reading many counters may take this long.
        assert_eq!(send(Method::GET, "/healthz", &page(Duration::from_secs(30))).0, 200);
        let (status, text) = send(Method::GET, "/healthz", &page(Duration::from_secs(61)));
        assert_eq!((status, text.as_str()), (503, "the counters were last read 61 s ago\n"));
    }

    #[test]
    fn body_method_and_path_are_validated() {
        let request = Request::get("/metrics").body(Full::new(Bytes::from_static(b"x"))).unwrap();
        let response = respond(&request, Hosts::Local, &page(Duration::ZERO));
        assert_eq!((response.status().as_u16(), response.headers()[CONNECTION].as_bytes()), (413, b"close".as_slice()));
        assert_eq!(send(Method::POST, "/metrics", &page(Duration::ZERO)).0, 405);
        assert_eq!(send(Method::GET, "/metric", &page(Duration::ZERO)).0, 404);
    }

    #[test]
    fn pages_are_encoded_on_request_and_once() {
        let page = page(Duration::ZERO);
        let (status, text) = send(Method::GET, "/metrics", &page);
        assert!(status == 200 && text.contains("tcp_reuse_host_connections_opened_total 0\n"), "{text}");
        assert_eq!(page.encodings(), 1);
        send(Method::GET, "/metrics?x=1", &page);
        assert_eq!(page.encodings(), 1);
    }
}
