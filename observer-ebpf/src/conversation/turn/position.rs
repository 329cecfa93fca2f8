//! Positions in a connection's two byte streams.

/// Bytes of payload that the application has written, plus one for our FIN: `bytes_acked`, which counts the SYN as one,
/// plus the unacknowledged bytes. `tcp_snd_una_update()` (net/ipv4/tcp_input.c) moves `snd_una` and `bytes_acked` by
/// the same amount, so the sum always holds under the socket's lock. Before the SYN is acknowledged, the SYN itself is
/// the unacknowledged byte.
#[inline(always)]
#[must_use]
pub fn written_bytes(bytes_acked: u64, snd_una: u32, write_seq: u32) -> u64 {
    bytes_acked.wrapping_add(u64::from(write_seq.wrapping_sub(snd_una))).wrapping_sub(1)
}

/// Bytes of payload that the application has consumed, plus one for the peer's FIN: the bytes received, less the unread
/// ones. `tcp_rcv_nxt_update()` (net/ipv4/tcp_input.c) moves `rcv_nxt` and `bytes_received` by the same amount.
#[inline(always)]
#[must_use]
pub fn consumed_bytes(bytes_received: u64, rcv_nxt: u32, copied_seq: u32) -> u64 {
    bytes_received.wrapping_sub(u64::from(rcv_nxt.wrapping_sub(copied_seq)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The positions of a socket whose sequence numbers begin at `isn` in both directions, after this many bytes sent,
    /// acknowledged, received and read.
    fn offsets(isn: u32, [sent, acked, received, read]: [u64; 4]) -> (u64, u64) {
        let seq = |bytes: u64| isn.wrapping_add(1).wrapping_add(bytes as u32);
        (written_bytes(acked + 1, seq(acked), seq(sent)), consumed_bytes(received, seq(received), seq(read)))
    }

    #[test]
    fn positions_do_not_depend_on_where_sequence_numbers_begin() {
        for isn in [0, 1, (1 << 31) - 2, 1 << 31, u32::MAX - 1000, u32::MAX - 1, u32::MAX] {
            for state in
                [[0; 4], [900, 0, 5, 0], [3 << 30, (3 << 30) - 70_000, 9, 9], [5 << 32, 5 << 32, 7 << 30, 6 << 30]]
            {
                assert_eq!(offsets(isn, state), (state[0], state[3]), "from {isn}");
            }
            // In SYN_SENT nothing is acknowledged, and the SYN is written (`tcp_connect_queue_skb()`), perhaps with
            // data.
            assert_eq!(written_bytes(0, isn, isn.wrapping_add(1)), 0);
            assert_eq!(written_bytes(0, isn, isn.wrapping_add(1 + 517)), 517);
        }
    }
}
