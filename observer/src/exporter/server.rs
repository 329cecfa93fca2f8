//! The HTTP server, with limits on connections, time and request size. It runs in its own thread without privileges, so
//! clients cannot disturb the watch.

use std::{cell::Cell, convert::Infallible, future::ready, pin::pin, rc::Rc, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    select,
    sync::watch,
    task::{spawn_local, yield_now},
    time::{Instant, sleep, sleep_until},
};

use super::{
    clients::Clients,
    listener::{AsyncListener, Stream},
    page::Page,
    rebinding::Hosts,
    respond::respond,
};

/// How long a new connection may wait before its first request.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to acknowledge a response. A Unix socket has no such limit: it ends by the other ones.
const RESPONSE_TIMEOUT_MS: u32 = 10_000;

/// How long a connection may idle between requests. Prometheus scrapes at least every two minutes, because it treats
/// samples older than five minutes as gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(150);

/// Limits on the head of a request. Prometheus sends less than 1 KiB.
const MAX_HEAD_BYTES: usize = 8 << 10;
const MAX_HEADERS: usize = 64;

/// How soon to retry if accepting fails, for example without free file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

pub(super) type Pages = watch::Receiver<Arc<Page>>;

/// Serves until the sender of pages is dropped.
pub(super) async fn serve(listener: AsyncListener, hosts: Hosts, mut pages: Pages) {
    let mut clients = Clients::default();
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let pages = pages.clone();
                    clients.add(peer, |active_at| match stream {
                        Stream::Tcp(stream) => {
                            // Also covers clients that keep their receive window closed (tcp(7)).
                            let is_set = set_tcp_user_timeout(&stream, RESPONSE_TIMEOUT_MS).is_ok();
                            spawn_local(async move {
                                if is_set {
                                    serve_client(stream, hosts, pages, active_at).await;
                                }
                            })
                        }
                        Stream::Unix(stream) => spawn_local(serve_client(stream, hosts, pages, active_at)),
                    });
                    // Answers a request that is there already, before the next connection can take this one's place.
                    yield_now().await;
                }
                Err(error) => {
                    log::warn!("cannot accept a connection for metrics: {error}");
                    sleep(ACCEPT_RETRY).await;
                }
            },
            changed = pages.changed() => if changed.is_err() { return },
        }
    }
}

/// Responds to requests until the client disconnects or idles for too long.
async fn serve_client(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    hosts: Hosts,
    pages: Pages,
    active_at: Rc<Cell<Instant>>,
) {
    let timeout = Cell::new(FIRST_REQUEST_TIMEOUT);
    let service = service_fn(|request| {
        active_at.set(Instant::now());
        timeout.set(IDLE_TIMEOUT);
        // Cloned, because a borrow during the encoding would block the watch when it sends the next page.
        let page = Arc::clone(&pages.borrow());
        ready(Ok::<_, Infallible>(respond(&request, hosts, &page)))
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS).header_read_timeout(None);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    while active_at.get().elapsed() < timeout.get() {
        select! {
            // Errors are the client's fault: a malformed request or a reset connection.
            _ = &mut connection => return,
            () = sleep_until(active_at.get() + timeout.get()) => {}
        }
    }
}
