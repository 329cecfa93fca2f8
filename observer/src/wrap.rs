//! Text in lines that fit a terminal.

/// Columns of a terminal, as long as nobody says more.
pub(crate) const WIDTH: usize = 80;

/// Adds text that begins at column `indent`, and further lines of it from there; a longer word is left whole.
pub(crate) fn push_wrapped(text: &mut String, words: &str, indent: usize) {
    let mut column = indent;
    let mut is_first = true;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if is_first {
            is_first = false;
        } else if column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}
