//! The HTTP server, with limits on connections, time and request size. It runs in its own thread without privileges, so
//! clients cannot disturb the watch.

use std::{cell::Cell, convert::Infallible, future::ready, pin::pin, rc::Rc, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    task::{JoinHandle, spawn_local},
    time::{Instant, sleep, sleep_until},
};

use super::{page::Page, respond::respond};

/// Simultaneous connections. A further one replaces the one that has been idle longest, so idle connections cannot keep
/// Prometheus out.
const MAX_CONNECTIONS: usize = 16;

/// How long a new connection may wait before its first request.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to acknowledge a response.
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

/// A connection. Dropping it closes the connection.
struct Client {
    task: JoinHandle<()>,
    /// When the client connected or sent its last request.
    active_at: Rc<Cell<Instant>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves until the sender of pages is dropped.
pub(super) async fn serve(listener: TcpListener, mut pages: Pages) {
    let mut clients: Vec<Client> = Vec::new();
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    clients.retain(|client| !client.task.is_finished());
                    make_room(&mut clients);
                    clients.push(accept(stream, pages.clone()));
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

/// Closes the connection that has been idle longest, if the limit is reached.
fn make_room(clients: &mut Vec<Client>) {
    if clients.len() >= MAX_CONNECTIONS
        && let Some((idlest, _)) = clients.iter().enumerate().min_by_key(|(_, client)| client.active_at.get())
    {
        clients.swap_remove(idlest);
    }
}

fn accept(stream: TcpStream, pages: Pages) -> Client {
    let active_at = Rc::new(Cell::new(Instant::now()));
    let task = spawn_local(serve_client(stream, pages, Rc::clone(&active_at)));
    Client { task, active_at }
}

/// HTTP/1 with the limits on the head of a request. `serve_client` has the timeouts.
pub(super) fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS).header_read_timeout(None);
    http
}

/// Responds to requests until the client disconnects or idles for too long.
async fn serve_client(stream: TcpStream, pages: Pages, active_at: Rc<Cell<Instant>>) {
    // Also covers clients that keep their receive window closed (tcp(7)).
    if set_tcp_user_timeout(&stream, RESPONSE_TIMEOUT_MS).is_err() {
        return;
    }
    let timeout = Cell::new(FIRST_REQUEST_TIMEOUT);
    let service = service_fn(|request| {
        active_at.set(Instant::now());
        timeout.set(IDLE_TIMEOUT);
        // Cloned, because a borrow during the encoding would block the watch when it sends the next page.
        let page = Arc::clone(&pages.borrow());
        ready(Ok::<_, Infallible>(respond(&request, &page)))
    });
    let mut connection = pin!(http().serve_connection(TokioIo::new(stream), service));
    while active_at.get().elapsed() < timeout.get() {
        select! {
            // Errors are the client's fault: a malformed request or a reset connection.
            _ = &mut connection => return,
            () = sleep_until(active_at.get() + timeout.get()) => {}
        }
    }
}
