//! Messages of protocols with inexact turns.

/// An AMQP method on a channel.
pub(crate) fn amqp(channel: u8, class: u8, method: u8) -> Vec<u8> {
    [&[1, 0, channel, 0, 0, 0, 24, 0, class, 0, method][..], &[0; 20], &[0xce]].concat()
}

/// A MongoDB command (OP_MSG).
pub(crate) fn mongodb(command: &str) -> Vec<u8> {
    let body = [&[0; 4][..], &[0], &40_u32.to_le_bytes(), &[0x10], command.as_bytes(), &[0; 30]].concat();
    let len = u32::try_from(body.len() + 16).unwrap().to_le_bytes();
    [&len[..], &[7, 0, 0, 0], &[0; 4], &2013_u32.to_le_bytes(), &body].concat()
}

/// A Kafka request.
pub(crate) fn kafka(api: u8) -> Vec<u8> {
    [&[0, 0, 0, 18, 0, api, 0, 3, 0, 0, 0, 1, 0, 8][..], b"producer"].concat()
}

/// HTTP/2's preface and settings.
pub(crate) fn preface() -> Vec<u8> {
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()
}

/// HTTP/2 headers on a stream.
pub(crate) fn headers(stream: u8) -> Vec<u8> {
    [&[0, 0, 14, 1, 5, 0, 0, 0, stream][..], b"\x82\x86\x84\x41\x09localhost"].concat()
}
