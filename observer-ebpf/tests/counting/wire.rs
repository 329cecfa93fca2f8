//! The protocols' bytes on the wire.

pub(crate) mod http1;
pub(crate) mod inexact;
pub(crate) mod mysql;
pub(crate) mod postgresql;
pub(crate) mod redis;
pub(crate) mod text;
pub(crate) mod tls;
