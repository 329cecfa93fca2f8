//! Two watches side by side: as lines, JSON or Markdown.

mod json;
mod lines;
mod markdown;
mod verdict;
mod warnings;
mod words;

pub use json::comparison_json;
pub use lines::comparison_lines;
pub use markdown::comparison_markdown;
pub use verdict::verdict_sentence;

#[cfg(test)]
mod fixture;
