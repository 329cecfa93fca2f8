//! Text in lines that fit a terminal.

/// Columns of a terminal, as long as nobody says more.
pub(crate) const WIDTH: usize = 80;

/// Adds text that begins at column `indent`, and further lines of it from there; a longer word is left whole.
pub(crate) fn push_wrapped(text: &mut String, words: &str, indent: usize) {
    let between = format!("\n{}", " ".repeat(indent));
    text.push_str(&wrapped(words, WIDTH - indent).join(&between));
    text.push('\n');
}

/// Lines of at most so many columns, but for longer words.
pub(crate) fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut column = 0;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > columns {
            lines.push(std::mem::take(&mut line));
            column = 0;
        } else if column > 0 {
            line.push(' ');
            column += 1;
        }
        line.push_str(word);
        column += length;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
