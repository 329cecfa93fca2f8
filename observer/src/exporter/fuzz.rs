//! The HTTP server on bytes in memory, for the fuzzer.

use std::{
    convert::Infallible,
    future::{Future as _, ready},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use hyper::{
    rt::{Read, ReadBufCursor, Write},
    service::service_fn,
};

use super::{page::Page, rebinding::Hosts, respond::respond, server::http};
use observer_core::{model::WatchInfo, series::Scrape};

/// More than any connection takes: each poll reads, responds or writes something.
const MAX_POLLS: usize = 10_000;

/// Serves one connection on which these pieces arrive. Returns what is sent back.
pub fn serve(pieces: Vec<&[u8]>) -> Vec<u8> {
    let page = Page::new(Arc::new(WatchInfo::default()), Scrape::default());
    let mut stream = Stream { arriving: pieces.into_iter(), rest: &[], sent: Vec::new() };
    let service = service_fn(|request| ready(Ok::<_, Infallible>(respond(&request, Hosts::Local, &page))));
    {
        let mut connection = pin!(http().serve_connection(&mut stream, service));
        let mut context = Context::from_waker(Waker::noop());
        let has_ended = (0..MAX_POLLS).any(|_| connection.as_mut().poll(&mut context).is_ready());
        assert!(has_ended, "the connection goes on after the end of its input");
    }
    stream.sent
}

/// A connection that is always ready: pieces of input, then the end of it, and any output.
struct Stream<'a> {
    arriving: std::vec::IntoIter<&'a [u8]>,
    rest: &'a [u8],
    sent: Vec<u8>,
}

impl Read for Stream<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            let Some(next) = self.arriving.next() else { return Poll::Ready(Ok(())) };
            self.rest = next;
        }
        let (read, rest) = self.rest.split_at(self.rest.len().min(buffer.remaining()));
        buffer.put_slice(read);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.sent.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
