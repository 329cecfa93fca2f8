//! Blocks and frames. They are drawn as paths rather than written as text, so adjacent ones meet in any font. All
//! shapes of one look share a path.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{HEIGHT, WIDTH};

/// Radius of the corners of a frame, in pixels.
const ROUND: u32 = 4;

/// The shape of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    /// A part of the cell (x, y, width, height) and its opacity
    Block((u32, u32, u32, u32), &'static str),
    Frame(char),
}

impl Shape {
    pub(super) fn of(content: &str) -> Self {
        let whole = (0, 0, WIDTH, HEIGHT);
        match content.chars().next().unwrap_or(' ') {
            '▀' => Self::Block((0, 0, WIDTH, HEIGHT / 2), "1"),
            character @ '▁'..='█' => {
                let height = (HEIGHT * (u32::from(character) - 0x2580)).div_ceil(8);
                Self::Block((0, HEIGHT - height, WIDTH, height), "1")
            }
            character @ '▉'..='▏' => Self::Block((0, 0, WIDTH * (0x2590 - u32::from(character)) / 8, HEIGHT), "1"),
            '▐' => Self::Block((WIDTH / 2, 0, WIDTH / 2, HEIGHT), "1"),
            '░' => Self::Block(whole, ".25"),
            '▒' => Self::Block(whole, ".5"),
            '▓' => Self::Block(whole, ".75"),
            character @ ('─' | '│' | '╭' | '╮' | '╰' | '╯') => Self::Frame(character),
            _ => Self::Text,
        }
    }
}

/// Paths by their attributes.
#[derive(Default)]
pub(super) struct Paths(BTreeMap<String, String>);

impl Paths {
    pub(super) fn rectangle(&mut self, (x, y, width, height): (u32, u32, u32, u32), color: &str, opacity: &str) {
        let mut look = format!("fill=\"{color}\"");
        if opacity != "1" {
            let _ = write!(look, " opacity=\"{opacity}\"");
        }
        let _ = write!(self.0.entry(look).or_default(), "M{x} {y}h{width}v{height}h-{width}z");
    }

    /// Draws a character `times` times in a row.
    pub(super) fn frame(&mut self, character: char, times: u32, (x, y): (u32, u32), color: &str, opacity: &str) {
        let (middle_x, middle_y, right, bottom) = (x + WIDTH / 2, y + HEIGHT / 2, x + WIDTH, y + HEIGHT);
        let path = self.0.entry(format!("stroke=\"{color}\" opacity=\"{opacity}\"")).or_default();
        let _ = match character {
            '─' => write!(path, "M{x} {middle_y}h{}", WIDTH * times),
            '╭' => write!(path, "M{middle_x} {bottom}V{}q0-{ROUND} {ROUND}-{ROUND}H{right}", middle_y + ROUND),
            '╮' => write!(path, "M{x} {middle_y}H{}q{ROUND} 0 {ROUND} {ROUND}V{bottom}", middle_x - ROUND),
            '╰' => write!(path, "M{middle_x} {y}V{}q0 {ROUND} {ROUND} {ROUND}H{right}", middle_y - ROUND),
            '╯' => write!(path, "M{x} {middle_y}H{}q{ROUND} 0 {ROUND}-{ROUND}V{y}", middle_x - ROUND),
            _ => write!(path, "M{middle_x} {y}v{HEIGHT}"),
        };
    }

    pub(super) fn write(&self, svg: &mut String) {
        for (look, path) in &self.0 {
            let _ = writeln!(svg, "<path {look} d=\"{path}\"/>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_parts_of_a_cell() {
        assert_eq!(Shape::of("█"), Shape::Block((0, 0, WIDTH, HEIGHT), "1"));
        assert_eq!(Shape::of("▄"), Shape::Block((0, HEIGHT / 2, WIDTH, HEIGHT / 2), "1"));
        assert_eq!(Shape::of("▌"), Shape::Block((0, 0, WIDTH / 2, HEIGHT), "1"));
        assert_eq!((Shape::of("a"), Shape::of(""), Shape::of("▼")), (Shape::Text, Shape::Text, Shape::Text));
    }

    #[test]
    fn each_look_has_one_path() {
        let (mut paths, mut svg) = (Paths::default(), String::new());
        paths.frame('─', 3, (0, 0), "#fff", "1");
        paths.frame('│', 1, (24, 0), "#fff", "1");
        paths.rectangle((0, 0, 2, 3), "#fff", "1");
        paths.write(&mut svg);
        let (line, column, middle) = (HEIGHT / 2, 24 + WIDTH / 2, 3 * WIDTH);
        let frame = format!("<path stroke=\"#fff\" opacity=\"1\" d=\"M0 {line}h{middle}M{column} 0v{HEIGHT}\"/>\n");
        assert_eq!(svg, format!("<path fill=\"#fff\" d=\"M0 0h2v3h-2z\"/>\n{frame}"));
    }
}
