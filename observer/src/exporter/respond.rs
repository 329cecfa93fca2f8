//! What is answered to which request.

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{accept, page::Page};

const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const INDEX: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>tcp-reuse-watch</title>\n\
                     <h1>tcp-reuse-watch</h1>\n<p><a href=\"/metrics\">metrics</a>\n";

pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn answer<B: Body>(request: &Request<B>, page: &Page) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n".into());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return last(answer);
    }
    if !request.body().is_end_stream() {
        return last(plain(StatusCode::PAYLOAD_TOO_LARGE, "a request here has no body\n".into()));
    }
    match request.uri().path() {
        "/metrics" => metrics(request, page),
        "/healthz" => match page.stale() {
            None => plain(StatusCode::OK, "ok\n".into()),
            Some(age) => {
                plain(StatusCode::SERVICE_UNAVAILABLE, format!("the counters were last read {} s ago\n", age.as_secs()))
            }
        },
        "/" => with(StatusCode::OK, HTML, INDEX.into()),
        _ => plain(StatusCode::NOT_FOUND, "there are /metrics and /healthz\n".into()),
    }
}

fn metrics<B>(request: &Request<B>, page: &Page) -> Answer {
    let wanted = |name: HeaderName| {
        let values = request.headers().get_all(name);
        values.iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
    };
    let format = accept::format(&wanted(ACCEPT));
    if !accept::takes_gzip(&wanted(ACCEPT_ENCODING)) {
        return with(StatusCode::OK, format.content_type(), page.plain(format));
    }
    let mut answer = with(StatusCode::OK, format.content_type(), page.gzip(format));
    answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    answer
}

fn plain(status: StatusCode, text: String) -> Answer {
    with(status, PLAIN, text.into())
}

fn with(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// Who asks like that is not listened to any more.
fn last(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use http_body_util::{BodyExt as _, Empty};

    use super::*;
    use observer_core::{model::About, series::Scrape};

    fn page(age: Duration) -> Page {
        Page::new(Arc::new(About::default()), Scrape::default()).aged(age)
    }

    fn ask(method: Method, path: &str, page: &Page) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Empty::<Bytes>::new()).unwrap();
        let answer = answer(&request, page);
        let status = answer.status().as_u16();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(answer.into_body().collect()).unwrap().to_bytes();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[test]
    fn a_watch_that_does_not_count_is_not_well() {
        assert_eq!(ask(Method::GET, "/healthz", &page(Duration::ZERO)), (200, "ok\n".into()));
        // Where it takes long to read the counters.
        assert_eq!(ask(Method::GET, "/healthz", &page(Duration::from_secs(30))).0, 200);
        let (status, text) = ask(Method::GET, "/healthz", &page(Duration::from_secs(61)));
        assert_eq!((status, text.as_str()), (503, "the counters were last read 61 s ago\n"));
    }

    #[test]
    fn a_body_is_refused() {
        let request = Request::get("/metrics").body(Full::new(Bytes::from_static(b"x"))).unwrap();
        let answer = answer(&request, &page(Duration::ZERO));
        assert_eq!((answer.status().as_u16(), answer.headers()[CONNECTION].as_bytes()), (413, b"close".as_slice()));
        assert_eq!(ask(Method::POST, "/metrics", &page(Duration::ZERO)).0, 405);
        assert_eq!(ask(Method::GET, "/metric", &page(Duration::ZERO)).0, 404);
    }

    #[test]
    fn what_nobody_asks_for_is_not_encoded() {
        let page = page(Duration::ZERO);
        let (status, text) = ask(Method::GET, "/metrics", &page);
        assert!(status == 200 && text.contains("tcp_reuse_host_connections_opened_total 0\n"), "{text}");
        assert_eq!(page.encodings(), 1);
        ask(Method::GET, "/metrics?x=1", &page);
        assert_eq!(page.encodings(), 1);
    }
}
