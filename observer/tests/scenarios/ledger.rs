//! A client that records in order what it does with its connections, and a model that computes from this ledger how many
//! of them a pool would have saved. It shares no code with the tool.

use std::{
    io::{self, Read as _},
    net::{Shutdown, TcpStream},
};

use anyhow::{Result, ensure};

use crate::{messages, peer::Peer};

/// An action of the client, with the number of the connection.
#[derive(Clone, Copy)]
enum Entry {
    Ask(usize),
    /// Either side closed it, and the client knows.
    Close(usize),
}

/// How many connections asked, how many were needed at once, and how many a pool would have saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) asked: u64,
    pub(crate) needed: u64,
    /// Connections that first asked while fewer were serving than had served at once before.
    pub(crate) avoidable: u64,
}

/// A connection, and its number in the ledger.
pub(crate) struct Client {
    number: usize,
    pub(crate) stream: TcpStream,
}

pub(crate) struct Ledger {
    connections: usize,
    entries: Vec<Entry>,
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Self { connections: 0, entries: Vec::new() }
    }

    pub(crate) fn connect(&mut self, peer: &Peer) -> Result<Client> {
        Ok(self.adopt(peer.connect()?))
    }

    /// Enters a connection that is open already.
    pub(crate) fn adopt(&mut self, stream: TcpStream) -> Client {
        self.connections += 1;
        Client { number: self.connections, stream }
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) fn ask(&mut self, client: &mut Client) -> Result<()> {
        self.send_request(client)?;
        Self::read_answer(client)
    }

    /// Reads an answer to its end.
    pub(crate) fn read_answer(client: &mut Client) -> Result<()> {
        Ok(client.stream.read_exact(&mut [0; 100])?)
    }

    /// Sends a request and leaves the answer unread.
    pub(crate) fn send_request(&mut self, client: &mut Client) -> Result<()> {
        messages::send_request(&mut client.stream, 100)?;
        self.entries.push(Entry::Ask(client.number));
        Ok(())
    }

    /// Makes one request on a connection of its own.
    pub(crate) fn ask_once(&mut self, peer: &Peer) -> Result<()> {
        let mut client = self.connect(peer)?;
        self.ask(&mut client)?;
        self.close(client);
        Ok(())
    }

    pub(crate) fn close(&mut self, client: Client) {
        drop(client.stream);
        self.entries.push(Entry::Close(client.number));
    }

    /// Waits until the peer has closed the connection, and keeps the socket open.
    pub(crate) fn wait_for_fin(&mut self, mut client: Client) -> Result<TcpStream> {
        ensure!(messages::read_to_end(&mut client.stream)? == 0, "the peer sent more than its answer");
        self.entries.push(Entry::Close(client.number));
        Ok(client.stream)
    }

    /// Waits until the peer has reset the connection, and keeps the socket open.
    pub(crate) fn wait_for_reset(&mut self, mut client: Client) -> Result<TcpStream> {
        let read = client.stream.read(&mut [0]);
        ensure!(read.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset), "the peer sent no reset");
        self.entries.push(Entry::Close(client.number));
        Ok(client.stream)
    }

    /// Shuts down both directions, and keeps the socket open.
    pub(crate) fn shut_down(&mut self, client: Client) -> Result<TcpStream> {
        client.stream.shutdown(Shutdown::Both)?;
        self.entries.push(Entry::Close(client.number));
        Ok(client.stream)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections as u64
    }

    pub(crate) fn pool(&self) -> Pool {
        let (mut pool, mut has_asked, mut serving) = (Pool::default(), vec![false; self.connections + 1], 0);
        for entry in &self.entries {
            match *entry {
                Entry::Ask(number) if !has_asked[number] => {
                    has_asked[number] = true;
                    pool.asked += 1;
                    pool.avoidable += u64::from(serving < pool.needed);
                    serving += 1;
                    pool.needed = pool.needed.max(serving);
                }
                Entry::Close(number) if has_asked[number] => serving -= 1,
                Entry::Ask(_) | Entry::Close(_) => {}
            }
        }
        pool
    }
}
