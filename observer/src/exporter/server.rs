//! Who may ask, how many at once, and for how long. All of it is in a thread of its own, which has no privileges and only
//! reads: whatever clients do, the watch goes on.

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

use super::{answer::answer, page::Page};

/// Connections at once. Another one takes the place of the one that has been silent longest, so that nobody who only holds
/// connections keeps Prometheus out: whoever connects and asks is answered first.
const MOST_CONNECTIONS: usize = 16;

/// The first request has to come within this time, and answers have to be taken while it lasts.
const TO_ASK: Duration = Duration::from_secs(10);
const TO_TAKE_MS: u32 = 10_000;

/// The next one within this: Prometheus asks every two minutes at the least (it takes what is five minutes old for gone).
const TO_ASK_AGAIN: Duration = Duration::from_secs(150);

/// A request's head may be so long. Prometheus' has less than 1 KiB.
const MOST_HEAD_BYTES: usize = 8 << 10;
const MOST_HEADERS: usize = 64;

/// When no connection can be accepted (no file descriptors are left), this is how soon it is tried again.
const RETRY: Duration = Duration::from_millis(100);

pub(super) type Pages = watch::Receiver<Arc<Page>>;

/// A connection. Ends with the value.
struct Client {
    task: JoinHandle<()>,
    /// When it connected, or last asked.
    heard: Rc<Cell<Instant>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until there will be no more pages.
pub(super) async fn serve(listener: TcpListener, mut pages: Pages) {
    let mut clients: Vec<Client> = Vec::new();
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    clients.retain(|client| !client.task.is_finished());
                    make_room(&mut clients);
                    clients.push(attend(stream, pages.clone()));
                }
                Err(error) => {
                    log::warn!("cannot accept a connection for metrics: {error}");
                    sleep(RETRY).await;
                }
            },
            changed = pages.changed() => if changed.is_err() { return },
        }
    }
}

/// Ends the connection that has been silent longest, if there are as many as there may be.
fn make_room(clients: &mut Vec<Client>) {
    if clients.len() >= MOST_CONNECTIONS
        && let Some((quietest, _)) = clients.iter().enumerate().min_by_key(|(_, client)| client.heard.get())
    {
        clients.swap_remove(quietest);
    }
}

fn attend(stream: TcpStream, pages: Pages) -> Client {
    let heard = Rc::new(Cell::new(Instant::now()));
    let task = spawn_local(converse(stream, pages, Rc::clone(&heard)));
    Client { task, heard }
}

/// Answers what is asked, until the client goes or is silent for too long.
async fn converse(stream: TcpStream, pages: Pages, heard: Rc<Cell<Instant>>) {
    // Ends it when an answer is not taken, also where the client keeps its window shut (tcp(7)).
    if set_tcp_user_timeout(&stream, TO_TAKE_MS).is_err() {
        return;
    }
    let may_be_silent = Cell::new(TO_ASK);
    let service = service_fn(|request| {
        heard.set(Instant::now());
        may_be_silent.set(TO_ASK_AGAIN);
        // Not borrowed while it is encoded: the watch, which puts the next page there, would wait.
        let page = Arc::clone(&pages.borrow());
        ready(Ok::<_, Infallible>(answer(&request, &page)))
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(MOST_HEAD_BYTES).max_headers(MOST_HEADERS).header_read_timeout(None);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    while heard.get().elapsed() < may_be_silent.get() {
        select! {
            // An error is the client's: a request that is none, or a connection that it has cut.
            _ = &mut connection => return,
            () = sleep_until(heard.get() + may_be_silent.get()) => {}
        }
    }
}
