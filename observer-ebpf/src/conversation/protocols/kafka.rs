//! Kafka: length-prefixed requests, which are pipelined. Kafka's documentation, "Protocol", and KIP-511 for the first
//! request.

use crate::conversation::{Head, Message, Send};

const METADATA: u32 = 3;
const SASL_HANDSHAKE: u32 = 17;
const API_VERSIONS: u32 = 18;
const SASL_AUTHENTICATE: u32 = 36;

const MAX_VERSION: u32 = 20;
const MAX_CLIENT_ID_BYTES: u32 = 512;

/// Length 4, API key 2, version 2, correlation id 4, and the length-prefixed client id.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, send: Send) -> bool {
    head.len >= 14
        && head.u32_at(0).wrapping_add(4) == send.len
        && matches!(head.u16_at(4), METADATA | SASL_HANDSHAKE | API_VERSIONS)
        && head.u16_at(6) < MAX_VERSION
        && (head.u16_at(12) < MAX_CLIENT_ID_BYTES || head.u16_at(12) == 0xffff)
}

#[inline(always)]
pub(in crate::conversation) fn sets_up(_: &mut impl Message, head: Head, _: u32) -> bool {
    matches!(head.u16_at(4), SASL_HANDSHAKE | API_VERSIONS | SASL_AUTHENTICATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    fn request(api: u8) -> Vec<u8> {
        [&[0, 0, 0, 18, 0, api, 0, 3, 0, 0, 0, 1, 0, 8][..], b"producer"].concat()
    }

    #[test]
    fn versions_and_logins_set_up() {
        let versions = request(18);
        assert!(begins(head_of(&versions), first(&versions)) && sets_up_with(sets_up, &versions));
        assert!(sets_up_with(sets_up, &request(36)) && !sets_up_with(sets_up, &request(0)), "Produce");
        assert!(!begins(head_of(&versions), Send { len: 90, ..first(&versions) }));
    }
}
