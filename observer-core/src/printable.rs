//! Untrusted text must not reach a terminal as control sequences, nor reorder or hide what stands beside it.

/// Escapes control characters and invisible ones: bidirectional and other format characters, line separators, private and
/// unassigned code points (everything that [`str::escape_debug`] escapes, except quotes and backslashes).
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\'' | '\\') {
            safe.push(character);
        } else {
            // The letter in front is a base for combining marks, which are not escaped behind one.
            let mut buffer = [b'x', 0, 0, 0, 0];
            let length = 1 + character.encode_utf8(&mut buffer[1..]).len();
            let with_base = str::from_utf8(&buffer[..length]).unwrap_or_default();
            safe.extend(with_base.escape_debug().skip(1));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("nginx é e\u{301} 日本 \\ \"it's\""), "nginx é e\u{301} 日本 \\ \"it's\"");
    }

    #[test]
    fn characters_that_reorder_or_hide_text_are_escaped() {
        assert_eq!(printable("a\u{202e}b\u{2066}"), "a\\u{202e}b\\u{2066}");
        assert_eq!(printable("\u{200b}\u{feff}\u{2028}\u{e0041}"), "\\u{200b}\\u{feff}\\u{2028}\\u{e0041}");
    }
}
