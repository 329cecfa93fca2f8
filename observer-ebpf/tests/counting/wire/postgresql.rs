//! PostgreSQL messages.

/// A type, a length that includes itself, and content.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], untyped(body).as_slice()].concat()
}

/// A message without a type, as the client begins.
fn untyped(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
}

pub(crate) fn ssl_request() -> Vec<u8> {
    untyped(&80_877_103_u32.to_be_bytes())
}

pub(crate) fn gss_request() -> Vec<u8> {
    untyped(&80_877_104_u32.to_be_bytes())
}

pub(crate) fn startup() -> Vec<u8> {
    untyped(b"\0\x03\0\0user\0me\0database\0shop\0\0")
}

pub(crate) fn query(sql: &[u8]) -> Vec<u8> {
    message(b'Q', &[sql, b"\0"].concat())
}

pub(crate) fn parse(name: &[u8], sql: &[u8]) -> Vec<u8> {
    message(b'P', &[name, b"\0", sql, b"\0\0\0"].concat())
}

pub(crate) fn describe(name: &[u8]) -> Vec<u8> {
    message(b'D', &[b"S", name, b"\0"].concat())
}

pub(crate) fn bind(name: &[u8], value: &[u8]) -> Vec<u8> {
    let len = u32::try_from(value.len()).unwrap().to_be_bytes();
    message(b'B', &[b"\0", name, b"\0\0\0\0\x01", &len, value, b"\0\0"].concat())
}

pub(crate) fn execute() -> Vec<u8> {
    message(b'E', &[0; 5])
}

pub(crate) fn close(name: &[u8]) -> Vec<u8> {
    message(b'C', &[b"S", name, b"\0"].concat())
}

pub(crate) fn sync() -> Vec<u8> {
    message(b'S', b"")
}

pub(crate) fn flush() -> Vec<u8> {
    message(b'H', b"")
}

/// The server is ready for the next query.
pub(crate) fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// One row, complete.
pub(crate) fn result(row_bytes: usize) -> Vec<u8> {
    [message(b'D', &vec![b'r'; row_bytes]), message(b'C', b"SELECT 1\0"), ready()].concat()
}

pub(crate) fn authentication(kind: u8) -> Vec<u8> {
    message(b'R', &[0, 0, 0, kind, 1, 2, 3, 4])
}
