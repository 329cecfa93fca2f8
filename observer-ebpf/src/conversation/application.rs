//! The application protocols that are recognised, and how exact each is.
//!
//! Exchanges are exact only where a turn is known to be a request. Everything else is counted in turns and marked.

use super::{
    Head, Message, Send,
    protocols::{amqp, dns, ftp, http1, kafka, ldap, mongodb, mqtt, mysql, nats, postgresql, redis, smtp, ssh},
};

macro_rules! applications {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)+) => {
        /// The application protocol of a connection.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Application {
            /// Not recognised, or inside TLS.
            Unknown = 0,
            $($(#[$doc])* $variant = $number,)+
        }

        impl Application {
            /// Every variant that has a name.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in JSON. None if unrecognised.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    Self::Unknown => None,
                    $(Self::$variant => Some($name),)+
                }
            }
        }
    };
}

applications! {
    Http1 = 1, "http1";
    Http2 = 2, "http2";
    Postgresql = 3, "postgresql";
    Mysql = 4, "mysql";
    Redis = 5, "redis";
    Memcached = 6, "memcached";
    Mqtt = 7, "mqtt";
    Amqp = 8, "amqp";
    Nats = 9, "nats";
    Kafka = 10, "kafka";
    Mongodb = 11, "mongodb";
    Ldap = 12, "ldap";
    Smtp = 13, "smtp";
    Ftp = 14, "ftp";
    Ssh = 15, "ssh";
    Dns = 16, "dns";
    /// After the upgrade, which is the connection's only exchange.
    Websocket = 17, "websocket";
}

/// Value of [`crate::GroupCounters::application`] when the group's connections speak several.
pub const SEVERAL_APPLICATIONS: u64 = 255;

impl Application {
    /// The application with this number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        Self::ALL.iter().copied().find(|application| *application as u64 == number).unwrap_or(Self::Unknown)
    }
}

/// Whether each turn of this application is a request with its answer.
#[inline(always)]
pub(super) fn has_exact_turns(application: u8) -> bool {
    const EXACT: u32 = 1 << Application::Http1 as u8
        | 1 << Application::Postgresql as u8
        | 1 << Application::Mysql as u8
        | 1 << Application::Redis as u8
        | 1 << Application::Memcached as u8
        | 1 << Application::Websocket as u8;
    EXACT >> (application & 31) & 1 == 1
}

/// Bits that describe the send by which the application is recognised.
pub(super) mod context {
    /// Nothing was sent before it.
    pub(in crate::conversation) const FIRST: u32 = 1;
    /// The server has sent something before it, or spoke first, or greeted with a number.
    pub(in crate::conversation) const SERVER_SPOKE: u32 = 1 << 1;
    pub(in crate::conversation) const SERVER_FIRST: u32 = 1 << 2;
    pub(in crate::conversation) const GREETED: u32 = 1 << 3;
}

/// Recognises the application by a connection's first send of `len` bytes, which begins with [`Message::last_head`].
/// The head is loaded again for each protocol, so the verifier forgets what earlier tests ruled out.
#[inline(always)]
pub fn recognise(message: &mut impl Message, len: u32, context: u32) -> Application {
    let is = |bit: u32| context & bit != 0;
    let send = Send {
        at: u64::from(!is(context::FIRST)),
        received: u64::from(is(context::SERVER_SPOKE)),
        consumed: 0,
        len,
        after_unseen: false,
        greeted: is(context::GREETED),
    };
    if http1::is_request(message.last_head()) {
        return Application::Http1;
    }
    if postgresql::is_start(message.last_head(), len)
        || !send.is_first() && postgresql::is_query(message.last_head(), len)
    {
        return Application::Postgresql;
    }
    if redis::begins(message.last_head()) {
        return Application::Redis;
    }
    if is(context::SERVER_FIRST) && mysql::is_login(message.last_head(), send) {
        return Application::Mysql;
    }
    recognise_turns(message, send)
}

/// Generates, from a table of protocols with inexact turns, the functions that consult them. Each protocol is a file
/// that defines how a connection begins and which sends set it up. These are branches and not a table of functions,
/// because BPF has no indirect calls.
macro_rules! turns {
    ($($application:ident: $module:ident,)+) => {
        /// Recognises one of these protocols by a first send that begins with [`Message::last_head`].
        #[inline(always)]
        fn recognise_turns(message: &mut impl Message, send: Send) -> Application {
            $(if $module::begins(message.last_head(), send) {
                return Application::$application;
            })+
            Application::Unknown
        }

        /// Whether a send asks nothing, on a connection that has asked nothing yet.
        #[inline(always)]
        pub(super) fn sets_up(application: u8, message: &mut impl Message, head: Head, len: u32) -> bool {
            $(if application == Application::$application as u8 {
                return $module::sets_up(message, head, len);
            })+
            false
        }
    };
}

// A new protocol needs a file, a name above and a row here.
turns! {
    Ssh: ssh,
    Amqp: amqp,
    Nats: nats,
    Mqtt: mqtt,
    Smtp: smtp,
    Ftp: ftp,
    Mongodb: mongodb,
    Ldap: ldap,
    Kafka: kafka,
    Dns: dns,
}
