//! What to do about a finding: a sentence a finding, filled in with the words of the client that the process most likely
//! uses, which follow from what its connections speak and from its runtime. The setting of another client would mislead.
//!
//! The words are in tables, a file a kind of client. What the clients do by themselves was read in their sources and
//! documentation.

mod brokers;
mod client;
mod http;
mod http2;
mod sessions;
mod sql;
mod stores;

use super::{
    Spoken,
    diagnosis::{Confidence, Finding, time},
};
use crate::{model::Application, runtime::Runtime};
use client::{ANY, Client, Idle};

/// What the connections of a group most likely speak. What is exact and yet not recognised is within TLS, and that is HTTP
/// nearly always; what is not exact may be anything.
pub(super) fn most_likely(spoken: Spoken, is_exact: bool) -> Application {
    match spoken {
        Spoken::One(application) => application,
        Spoken::Unknown if is_exact => Application::Http1,
        Spoken::Unknown | Spoken::Several => Application::Unknown,
    }
}

pub(super) fn advice(
    finding: Finding,
    confidence: Confidence,
    application: Application,
    runtime: Option<Runtime>,
    values: &[(&'static str, u64)],
) -> String {
    let client = client_of(application, runtime.unwrap_or(Runtime::Unknown));
    let Client { ask, asked, answer, shared, .. } = client;
    let value = |name: &str| values.iter().find(|(of, _)| *of == name).map_or(0, |(_, value)| *value);
    let timeout = || time(value("timeout_us"));
    match finding {
        Finding::ResponseNotRead if confidence != Confidence::Certain => {
            format!("If this was the rest of a {answer}, read it to its end before closing{}.", behind(": ", client.read))
        }
        Finding::ResponseNotRead => {
            format!("Read the {answer} to its end before closing it{}.", behind(": ", client.read))
        }
        Finding::ClosedAfterResponse => format!("Possible causes, the likeliest first: {}.", client.causes),
        Finding::PoolTooSmall => format!(
            "The pool keeps {}, {} were in use at once: raise {}.",
            value("kept_idle"),
            value("concurrent"),
            client.pool_size
        ),
        Finding::ClientPerRequest => {
            format!("Use one {shared} for all {asked}{}.", behind(": ", client.share))
        }
        Finding::ProcessPerRequest => format!("Let one process {ask} many {asked}: {}.", client.batch),
        Finding::ServerClosesEach if application == Application::Http1 && confidence == Confidence::Certain => {
            http::SERVER_CLOSES_EACH.into()
        }
        Finding::ServerClosesEach => format!("{}.", client.server_closes),
        Finding::ServerIdleTimeout => client.server_idle(&timeout()),
        Finding::ClientIdleTimeout => client.client_idle(&timeout()),
        Finding::StaleConnection => client.stale(),
        Finding::MaxLifetime => "The pool or the server replaces connections of an age: that is as it should be.".into(),
        Finding::RequestCap => format!("The server limits the {asked} of a connection: that is as it should be."),
        Finding::PortExhaustion => {
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
                within(setting)
            ),
            Idle::KeptBy(pings, setting) => {
                format!("Let the client send {pings} more often than every {timeout}{}.", within(setting))
            }
        }
    }

    fn client_idle(&self, timeout: &str) -> String {
        let asked = self.asked;
        match self.idle {
            Idle::Dropped(setting) => format!(
                "If {asked} come less often than every {timeout}, raise the time that the client keeps idle connections{}.",
                within(setting)
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
                within(setting)
            ),
            Idle::KeptBy(pings, setting) => format!(
                "Let the client send {pings} while nothing else is sent{}, before the server, a balancer or a firewall forgets the connection.",
                within(setting)
            ),
        }
    }
}

/// The words behind what joins them to the sentence, if there are any.
fn behind(mark: &str, words: Option<&str>) -> String {
    words.map_or_else(String::new, |words| format!("{mark}{words}"))
}

fn within(words: Option<&str>) -> String {
    words.map_or_else(String::new, |words| format!(" ({words})"))
}

#[cfg(test)]
mod tests;
