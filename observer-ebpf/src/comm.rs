//! Names of processes, as words: a BPF program that goes through them byte by byte is a long one.

/// 16 characters as they lie in memory, with nothing but NULs behind the first of them.
#[inline(always)]
#[must_use]
pub fn comm_up_to_nul(name: [u64; 2]) -> [u8; 16] {
    let [first, second] = name.map(u64::from_le);
    let (first, has_nul) = word_up_to_nul(first);
    let second = if has_nul { 0 } else { word_up_to_nul(second).0 };
    bytes([first.to_le(), second.to_le()])
}

/// Eight characters, the first of them the lowest, and whether there is a NUL among them.
#[inline(always)]
fn word_up_to_nul(word: u64) -> (u64, bool) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The high bit of the first byte that is NUL, and of others behind it.
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
    fn nothing_is_left_behind_the_first_nul() {
        for length in 0..=16 {
            // With what is hard to tell from NUL: 1, 0x80, 0xff, and more NULs.
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
