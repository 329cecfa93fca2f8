//! Process names, handled as 8-byte words, because a byte-by-byte loop makes a long BPF program.

/// Returns a 16-byte name with every byte after the first NUL cleared.
#[inline(always)]
#[must_use]
pub fn comm_up_to_nul(name: [u64; 2]) -> [u8; 16] {
    let [first, second] = name.map(u64::from_le);
    let (first, has_nul) = word_up_to_nul(first);
    let second = if has_nul { 0 } else { word_up_to_nul(second).0 };
    bytes([first.to_le(), second.to_le()])
}

/// Clears all bytes after the first NUL, and returns whether there is one. The first character is the lowest byte.
#[inline(always)]
fn word_up_to_nul(word: u64) -> (u64, bool) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The high bit of the first NUL byte is set; bytes after it may have theirs set too.
    let nuls = word.wrapping_sub(EACH) & !word & (EACH << 7);
    if nuls == 0 {
        return (word, false);
    }
    let first = nuls & nuls.wrapping_neg();
    (word & ((first >> 7) - 1), true)
}

#[inline(always)]
fn bytes(words: [u64; 2]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&words[0].to_ne_bytes());
    bytes[8..].copy_from_slice(&words[1].to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(name: &[u8; 16]) -> [u8; 16] {
        let word = |from: usize| core::array::from_fn(|n| name[from + n]);
        comm_up_to_nul([u64::from_ne_bytes(word(0)), u64::from_ne_bytes(word(8))])
    }

    #[test]
    fn bytes_after_the_first_nul_are_cleared() {
        for length in 0..=16 {
            // Bytes that are easily mistaken for NUL: 1, 0x80, 0xff, and further NULs.
            for tail in [1, 0x80, 0xff, 0, b'x'] {
                for character in [1, 0x7f, 0x80, 0x81, 0xff, b'a'] {
                    let mut name = [tail; 16];
                    name[..length].fill(character);
                    if length < 16 {
                        name[length] = 0;
                    }
                    let mut expected = [0; 16];
                    expected[..length].fill(character);
                    assert_eq!(cut(&name), expected, "{name:?}");
                }
            }
        }
    }
}
