//! Text wrapped to the width of a terminal.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Number of columns assumed for output of unknown width.
pub const WIDTH: usize = 80;

/// Appends text that starts at column `indent`, and indents its further lines to that column.
pub fn push_wrapped(text: &mut String, words: &str, indent: usize) {
    let separator = format!("\n{}", " ".repeat(indent));
    text.push_str(&wrapped(words, WIDTH - indent).join(&separator));
    text.push('\n');
}

/// Appends text in lines of at most `columns` columns, and indents all but the first.
pub fn push_hanging(text: &mut String, words: &str, indent: usize, columns: usize) {
    let indent = " ".repeat(indent);
    text.push_str(&textwrap::wrap(words, options(columns).subsequent_indent(&indent)).join("\n"));
    text.push('\n');
}

/// Splits text into lines of at most `columns` columns. Longer words are not broken.
pub fn wrapped(words: &str, columns: usize) -> Vec<String> {
    if words.is_empty() {
        return Vec::new();
    }
    textwrap::wrap(words, options(columns)).into_iter().map(Into::into).collect()
}

fn options<'a>(columns: usize) -> Options<'a> {
    Options::new(columns)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
}
