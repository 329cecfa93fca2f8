//! The server of the loads: nginx on loopback, with a private folder. Its counts are the truth.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::support::running::Running;

pub(crate) struct Server {
    process: Running,
    pub(crate) port: u16,
    /// Address of its counters
    status: SocketAddr,
    _folder: TempDir,
}

/// Counts of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) connections: u64,
    pub(crate) requests: u64,
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        Self::start_at(&[Ipv4Addr::LOCALHOST])
    }

    /// Listens at each of these addresses.
    pub(crate) fn start_at(addresses: &[Ipv4Addr]) -> Result<Self> {
        let [port, status] = free_ports()?;
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("nginx.conf"), configuration(addresses, port, status))?;
        let mut nginx = Command::new("nginx");
        nginx.args(["-e", "errors", "-c", "nginx.conf", "-p"]).arg(folder.path());
        let process = Running::start(nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
        let status = SocketAddr::from((Ipv4Addr::LOCALHOST, status));
        let mut server = Self { process, port, status, _folder: folder };
        server.process.until("it listens", |_| TcpStream::connect(status).is_ok())?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn cpu(&self) -> Duration {
        self.process.cpu()
    }

    /// Reads the counters. Each reading is itself a connection with a request; [`Counted::since`] subtracts it.
    pub(crate) fn counted(&self) -> Result<Counted> {
        let mut stream = TcpStream::connect(self.status)?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        parse(&answer).with_context(|| format!("cannot parse the status of nginx: {answer}"))
    }
}

impl Counted {
    /// Counts since an earlier reading, without this reading itself.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { connections: self.connections - earlier.connections - 1, requests: self.requests - earlier.requests - 1 }
    }
}

/// Parses the page of stub_status:
///
/// ```text
/// server accepts handled requests
///  20005 20005 20002
/// ```
fn parse(status: &str) -> Option<Counted> {
    let line = status.split_once("requests\n")?.1.lines().next()?;
    let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
    let connections = numbers.next()??;
    Some(Counted { connections, requests: numbers.nth(1)?? })
}

fn free_ports() -> Result<[u16; 2]> {
    let listeners = [TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?];
    Ok([listeners[0].local_addr()?.port(), listeners[1].local_addr()?.port()])
}

pub(super) fn configuration(addresses: &[Ipv4Addr], port: u16, status: u16) -> String {
    let listen: Vec<_> = addresses.iter().map(|address| format!("listen {address}:{port} backlog=4096;")).collect();
    let listen = listen.join(" ");
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log errors error;
         events {{ worker_connections 8192; }}
         http {{
             access_log off; keepalive_requests 1000000000;
             client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
             server {{ {listen} location / {{ return 200 hello; }} }}
             server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}
         }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_nginx_are_parsed() {
        let status = "Active connections: 1 \nserver accepts handled requests\n 20005 20005 20002 \nReading: 0 \n";
        let counted = parse(status).unwrap();
        assert_eq!(counted, Counted { connections: 20_005, requests: 20_002 });
        assert_eq!(
            counted.since(Counted { connections: 4, requests: 1 }),
            Counted { connections: 20_000, requests: 20_000 }
        );
        assert_eq!(parse("404"), None);
    }
}
