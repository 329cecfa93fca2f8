//! Text in lines that fit a terminal.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Columns of a terminal that does not say how wide it is.
pub const WIDTH: usize = 80;

/// Appends text that starts at column `indent`, its further lines indented to there.
pub fn push_wrapped(text: &mut String, words: &str, indent: usize) {
    let separator = format!("\n{}", " ".repeat(indent));
    text.push_str(&wrapped(words, WIDTH - indent).join(&separator));
    text.push('\n');
}

/// Lines of at most `columns` columns. A longer word is kept whole.
pub fn wrapped(words: &str, columns: usize) -> Vec<String> {
    if words.is_empty() {
        return Vec::new();
    }
    let options = Options::new(columns)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(words, options).into_iter().map(Into::into).collect()
}
