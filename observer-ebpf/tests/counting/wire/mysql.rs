//! MySQL packets.

const SSL: u32 = 1 << 11;
pub(crate) const COMPRESS: u32 = 1 << 5;

pub(crate) const QUIT: u8 = 0x01;
pub(crate) const QUERY: u8 = 0x03;
pub(crate) const PING: u8 = 0x0e;
pub(crate) const CHANGE_USER: u8 = 0x11;
pub(crate) const STMT_PREPARE: u8 = 0x16;
pub(crate) const STMT_EXECUTE: u8 = 0x17;
pub(crate) const STMT_SEND_LONG_DATA: u8 = 0x18;
pub(crate) const STMT_CLOSE: u8 = 0x19;

/// Length, number and content.
pub(crate) fn packet(number: usize, body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_le_bytes()[..3], &[number as u8], body].concat()
}

pub(crate) fn greeting() -> Vec<u8> {
    packet(0, b"\x0a8.0.36\0\x08\0\0\0saltsalt\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0moresaltmore\0")
}

/// The client's login, with these additional capabilities.
pub(crate) fn login(capabilities: u32) -> Vec<u8> {
    let capabilities = (0x003f_a285 | capabilities).to_le_bytes();
    packet(
        1,
        &[&capabilities[..], &[0, 0, 0, 1, 45], &[0; 23], b"me\0\x14", &[7; 20], b"mysql_native_password\0"].concat(),
    )
}

/// The start of a login, up to its zeros. TLS follows.
pub(crate) fn tls_request() -> Vec<u8> {
    packet(1, &login(SSL)[4..36])
}

pub(crate) fn command(kind: u8, body: &[u8]) -> Vec<u8> {
    packet(0, &[&[kind], body].concat())
}

pub(crate) fn ok(number: usize) -> Vec<u8> {
    packet(number, &[0, 0, 0, 2, 0, 0, 0])
}

/// A column, a row, and the end.
pub(crate) fn result(row_bytes: usize) -> Vec<u8> {
    [packet(1, &[1]), packet(2, &[b'c'; 40]), packet(3, &vec![b'r'; row_bytes]), packet(4, &[0xfe; 5])].concat()
}
