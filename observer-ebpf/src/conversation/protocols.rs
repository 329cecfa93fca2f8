//! The protocols, one file each: how a connection begins, and which of its sends ask.

pub(super) mod amqp;
pub(super) mod dns;
pub(super) mod ftp;
pub(super) mod http1;
pub(super) mod http2;
pub(super) mod kafka;
pub(super) mod ldap;
pub(super) mod memcached;
pub(super) mod mongodb;
pub(super) mod mqtt;
pub(super) mod mysql;
pub(super) mod nats;
pub(super) mod postgresql;
pub(super) mod proxy;
pub(super) mod redis;
pub(super) mod smtp;
pub(super) mod socks;
pub(super) mod sql;
pub(super) mod ssh;
pub(super) mod tls;
