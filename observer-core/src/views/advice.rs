//! The advice of a diagnosis: a sentence for each finding, filled in with the words of the client library that the
//! process most likely uses, judged by its application protocol and runtime. The setting of another client would
//! mislead.
//!
//! The words are in tables, a file for each kind of client. The behaviour of clients was looked up in their sources and
//! documentation.

mod brokers;
mod client;
mod http;
mod http2;
mod sessions;
mod sql;
mod stores;

use super::words::brief_time;
use crate::{
    diagnosis::{Confidence, Diagnosis, Evidence},
    model::Application,
    runtime::Runtime,
};
use client::{ANY, Client, Idle};

pub(super) fn sentence(diagnosis: &Diagnosis) -> String {
    let Diagnosis { confidence, ref evidence, application, runtime, .. } = *diagnosis;
    let client = client_of(application, runtime.unwrap_or(Runtime::Unknown));
    let Client { ask, asked, answer, shared, .. } = client;
    let is_certain = confidence == Confidence::Certain;
    match *evidence {
        Evidence::UnreadResponse { .. } if is_certain => {
            format!("Read the {answer} to its end before closing it{}.", prefixed(": ", client.read))
        }
        Evidence::UnreadResponse { .. } => {
            format!("If this was the rest of a {answer}, read it to its end before closing{}.", prefixed(": ", client.read))
        }
        Evidence::LeftAfterResponse { .. } => format!("Possible causes, the likeliest first: {}.", client.causes),
        Evidence::PoolOverflow { kept_idle, concurrent, .. } => {
            let setting = client.pool_size;
            format!("The pool keeps {kept_idle}, {concurrent} were in use at once: raise {setting}.")
        }
        Evidence::OpenedBesideIdle { .. } => {
            format!("Use one {shared} for all {asked}{}.", prefixed(": ", client.share))
        }
        Evidence::ProcessEach(_) => format!("Let one process {ask} many {asked}: {}.", client.batch),
        Evidence::ServerClosedEach { .. } if is_certain && application == Application::Http1 => {
            http::SERVER_CLOSES_EACH.into()
        }
        Evidence::ServerClosedEach { .. } => format!("{}.", client.server_closes),
        Evidence::ServerIdle { timeout_us, .. } => client.server_idle(&brief_time(timeout_us)),
        Evidence::ClientIdle { timeout_us, .. } => client.client_idle(&brief_time(timeout_us)),
        Evidence::ResetWhenIdle { .. } => client.stale(),
        Evidence::Age { .. } => "The pool or the server recycles connections at a fixed age; this is healthy.".into(),
        Evidence::Cap { .. } => format!("The server limits the {asked} of a connection; this is healthy."),
        Evidence::NoLocalPort { .. } => {
            "Reuse connections: each closed one keeps its local port for a minute. More ports (ip_local_port_range) only delay it."
                .into()
        }
    }
}

fn client_of(application: Application, runtime: Runtime) -> Client {
    match application {
        Application::Unknown => ANY,
        Application::Http1 => http::client(runtime),
        Application::Http2 => http2::client(runtime),
        Application::Postgresql => sql::postgresql(runtime),
        Application::Mysql => sql::mysql(runtime),
        Application::Redis => stores::redis(runtime),
        Application::Memcached => stores::memcached(runtime),
        Application::Mongodb => stores::mongodb(runtime),
        Application::Amqp => brokers::amqp(runtime),
        Application::Mqtt => brokers::mqtt(runtime),
        Application::Nats => brokers::nats(runtime),
        Application::Kafka => brokers::kafka(runtime),
        Application::Ldap => sessions::ldap(runtime),
        Application::Smtp => sessions::smtp(runtime),
        Application::Ftp => sessions::ftp(runtime),
        Application::Ssh => sessions::ssh(runtime),
        Application::Dns => sessions::DNS,
        Application::Websocket => sessions::websocket(runtime),
    }
}

impl Client {
    fn server_idle(&self, timeout: &str) -> String {
        let (asked, server_timeout) = (self.asked, self.server_timeout);
        match self.idle {
            Idle::Dropped(setting) => format!(
                "Raise the server's {server_timeout} above the time between {asked}, or let the client drop idle connections before {timeout}{}.",
                in_parentheses(setting)
            ),
            Idle::KeptBy(pings, setting) => {
                format!("Let the client send {pings} more often than every {timeout}{}.", in_parentheses(setting))
            }
        }
    }

    fn client_idle(&self, timeout: &str) -> String {
        let asked = self.asked;
        match self.idle {
            Idle::Dropped(setting) => format!(
                "If {asked} come less often than every {timeout}, raise the time that the client keeps idle connections{}.",
                in_parentheses(setting)
            ),
            Idle::KeptBy(..) => {
                format!("If {asked} come less often than every {timeout}, keep the connection open between them.")
            }
        }
    }

    fn stale(&self) -> String {
        match self.idle {
            Idle::Dropped(setting) => format!(
                "Let the client drop idle connections before the server, a balancer or a firewall does{}.",
                in_parentheses(setting)
            ),
            Idle::KeptBy(pings, setting) => format!(
                "Let the client send {pings} while nothing else is sent{}, before the server, a balancer or a firewall forgets the connection.",
                in_parentheses(setting)
            ),
        }
    }
}

/// The words after a prefix, or nothing.
fn prefixed(mark: &str, words: Option<&str>) -> String {
    words.map_or_else(String::new, |words| format!("{mark}{words}"))
}

/// The words in parentheses, or nothing.
fn in_parentheses(words: Option<&str>) -> String {
    words.map_or_else(String::new, |words| format!(" ({words})"))
}

#[cfg(test)]
mod tests;
