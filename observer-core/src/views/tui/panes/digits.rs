//! Large digits, three rows high, made of characters that every font has.

/// Rows of a digit.
pub(super) const HEIGHT: u16 = 3;

const BLOCKS: [(char, [&str; 3]); 13] = [
    ('0', ["█▀█", "█ █", "▀▀▀"]),
    ('1', ["▀█ ", " █ ", "▀▀▀"]),
    ('2', ["▀▀█", "█▀▀", "▀▀▀"]),
    ('3', ["▀▀█", " ▀█", "▀▀▀"]),
    ('4', ["█ █", "▀▀█", "  ▀"]),
    ('5', ["█▀▀", "▀▀█", "▀▀▀"]),
    ('6', ["█▀▀", "█▀█", "▀▀▀"]),
    ('7', ["▀▀█", "  █", "  ▀"]),
    ('8', ["█▀█", "█▀█", "▀▀▀"]),
    ('9', ["█▀█", "▀▀█", "▀▀▀"]),
    ('.', [" ", " ", "▄"]),
    ('%', ["█ ▄▀", "▄▀▄ ", "▀ ▀ "]),
    ('–', ["   ", "▀▀▀", "   "]),
];

const ASCII: [(char, [&str; 3]); 13] = [
    ('0', [" _ ", "| |", "|_|"]),
    ('1', ["   ", "  |", "  |"]),
    ('2', [" _ ", " _|", "|_ "]),
    ('3', [" _ ", " _|", " _|"]),
    ('4', ["   ", "|_|", "  |"]),
    ('5', [" _ ", "|_ ", " _|"]),
    ('6', [" _ ", "|_ ", "|_|"]),
    ('7', [" _ ", "  |", "  |"]),
    ('8', [" _ ", "|_|", "|_|"]),
    ('9', [" _ ", "|_|", " _|"]),
    ('.', [" ", " ", "."]),
    ('%', ["o /", " / ", "/ o"]),
    ('-', ["   ", "---", "   "]),
];

/// Returns rows of equal length. A character without a large form stays as it is, in the middle row.
pub(super) fn large(text: &str, has_unicode: bool) -> [String; 3] {
    let forms = if has_unicode { &BLOCKS } else { &ASCII };
    let mut rows: [String; 3] = Default::default();
    for character in text.chars() {
        let form = forms.iter().find(|(of, _)| *of == character).map(|(_, rows)| *rows);
        let middle = character.to_string();
        let form = form.unwrap_or([" ", &middle, " "]);
        for (row, piece) in rows.iter_mut().zip(form) {
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(piece);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_equal_length() {
        for (text, has_unicode) in [("0123456789.% –≈", true), ("0123456789.% -~", false), ("", true)] {
            let widths = large(text, has_unicode).map(|row| row.chars().count());
            assert_eq!(widths, [widths[0]; 3], "{text}");
        }
    }
}
