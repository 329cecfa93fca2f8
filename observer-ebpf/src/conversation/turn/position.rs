//! Positions in the byte streams.

/// How many bytes of payload the application has written, our FIN counted as one: from `bytes_acked`, which counts the
/// SYN as one, and what is not acknowledged yet. `tcp_snd_una_update()` (net/ipv4/tcp_input.c) moves `snd_una` and
/// `bytes_acked` by the same amount, so their sum holds at any time under the socket's lock. Before the SYN is
/// acknowledged the SYN is what is not acknowledged yet.
#[inline(always)]
#[must_use]
pub fn written_bytes(bytes_acked: u64, snd_una: u32, write_seq: u32) -> u64 {
    bytes_acked.wrapping_add(u64::from(write_seq.wrapping_sub(snd_una))).wrapping_sub(1)
}

/// How many bytes of payload the application has consumed, the peer's FIN counted as one: what has come, less what lies
/// unread. `tcp_rcv_nxt_update()` (net/ipv4/tcp_input.c) moves `rcv_nxt` and `bytes_received` by the same amount.
#[inline(always)]
#[must_use]
pub fn consumed_bytes(bytes_received: u64, rcv_nxt: u32, copied_seq: u32) -> u64 {
    bytes_received.wrapping_sub(u64::from(rcv_nxt.wrapping_sub(copied_seq)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket whose sequence numbers begin at `isn` in both directions, with so much sent, acknowledged, received and
    /// read.
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
            // In SYN_SENT nothing is acknowledged, and the SYN is written (`tcp_connect_queue_skb()`), perhaps with data.
            assert_eq!(written_bytes(0, isn, isn.wrapping_add(1)), 0);
            assert_eq!(written_bytes(0, isn, isn.wrapping_add(1 + 517)), 517);
        }
    }
}
