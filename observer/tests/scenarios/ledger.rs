//! A client that writes down what it does with its connections, one thing after the other, and a model that computes from
//! that how many of them a pool would have saved. Nothing of the tool is in here.

use std::{
    io::{self, Read as _},
    net::{Shutdown, TcpStream},
};

use anyhow::{Result, ensure};

use crate::{messages, peer::Peer};

/// What the client did with which connection.
#[derive(Clone, Copy)]
enum Entry {
    Ask(usize),
    /// It was closed, by whichever side, and the client knows
    Close(usize),
}

/// How many connections asked something, and how many could serve at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) asked: u64,
    pub(crate) needed: u64,
    /// Those that asked first when fewer served than once did
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
        Ok(self.note(peer.connect()?))
    }

    /// A connection that is there already.
    pub(crate) fn note(&mut self, stream: TcpStream) -> Client {
        self.connections += 1;
        Client { number: self.connections, stream }
    }

    /// Asks, and reads the answer to its end.
    pub(crate) fn ask(&mut self, client: &mut Client) -> Result<()> {
        self.request(client)?;
        Self::read(client)
    }

    /// Reads an answer to its end.
    pub(crate) fn read(client: &mut Client) -> Result<()> {
        Ok(client.stream.read_exact(&mut [0; 100])?)
    }

    /// Asks, and leaves the answer to be read.
    pub(crate) fn request(&mut self, client: &mut Client) -> Result<()> {
        messages::request(&mut client.stream, 100)?;
        self.entries.push(Entry::Ask(client.number));
        Ok(())
    }

    /// A connection for one request.
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

    /// Waits until the peer has closed it, and holds on to it.
    pub(crate) fn wait_for_end(&mut self, mut client: Client) -> Result<TcpStream> {
        ensure!(messages::read_to_end(&mut client.stream)? == 0, "the peer says more than its answer");
        self.entries.push(Entry::Close(client.number));
        Ok(client.stream)
    }

    /// Waits until the peer has reset it, and holds on to it.
    pub(crate) fn wait_for_reset(&mut self, mut client: Client) -> Result<TcpStream> {
        let read = client.stream.read(&mut [0]);
        ensure!(read.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset), "the peer does not reset");
        self.entries.push(Entry::Close(client.number));
        Ok(client.stream)
    }

    /// Ends both directions, and holds on to it.
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
