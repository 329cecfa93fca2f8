//! Draws a screen as SVG: text stays selectable, in any monospaced font, and box characters become shapes.

mod color;
mod shapes;

use std::fmt::Write as _;

use terminal::vt100::{Cell, Screen};

use color::{BACKGROUND, FOREGROUND, hex};
use shapes::{Paths, Shape};

/// Size of a cell in pixels.
const WIDTH: u32 = 8;
const HEIGHT: u32 = 16;
/// The width of a character is 0.6 of this in common fonts, which is the width of a cell.
const FONT_SIZE: &str = "13.3";
const FONTS: &str = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace";
/// Opacity of dim text.
const DIM: &str = ".65";
/// Distance from the top of a cell to the baseline of its text.
const BASELINE: u32 = 12;
const MARGIN: u32 = 12;

/// The look of a cell.
#[derive(Clone, PartialEq, Eq)]
struct Style {
    color: String,
    background: Option<String>,
    is_bold: bool,
    is_dim: bool,
    is_underlined: bool,
}

impl Style {
    fn of(cell: &Cell) -> Self {
        let (mut color, mut background) = (hex(cell.fgcolor()), hex(cell.bgcolor()));
        if cell.inverse() {
            let (front, back) = (color, background);
            (color, background) = (back.or(Some(BACKGROUND.into())), front.or(Some(FOREGROUND.into())));
        }
        Self {
            color: color.unwrap_or_else(|| FOREGROUND.into()),
            background,
            is_bold: cell.bold(),
            is_dim: cell.dim(),
            is_underlined: cell.underline(),
        }
    }
}

pub(super) fn draw(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let mut layers = Layers::default();
    for row in 0..rows.get() {
        layers.add_row(screen, row, columns.get());
    }
    let (width, height) = (2 * MARGIN + WIDTH * u32::from(columns.get()), 2 * MARGIN + HEIGHT * u32::from(rows.get()));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:space=\"preserve\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\" font-size=\"{FONT_SIZE}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g shape-rendering=\"crispEdges\">\n"
    );
    layers.backgrounds.write(&mut svg);
    layers.blocks.write(&mut svg);
    // Offset by half a pixel, a line of one pixel covers whole pixels.
    svg.push_str("</g>\n<g fill=\"none\" transform=\"translate(.5 .5)\">\n");
    layers.frames.write(&mut svg);
    svg.push_str("</g>\n");
    svg + &layers.text + "</svg>\n"
}

/// The layers of the picture, from back to front.
#[derive(Default)]
struct Layers {
    backgrounds: Paths,
    blocks: Paths,
    frames: Paths,
    text: String,
}

impl Layers {
    /// Draws adjacent cells of the same look together.
    fn add_row(&mut self, screen: &Screen, row: u16, columns: u16) {
        let cells: Vec<&Cell> = (0..columns).filter_map(|column| screen.cell(row, column)).collect();
        let mut place = (MARGIN, MARGIN + HEIGHT * u32::from(row));
        for run in cells.chunk_by(|one, other| look(one) == look(other)) {
            self.add_run(run, place);
            place.0 += WIDTH * run.len() as u32;
        }
    }

    fn add_run(&mut self, run: &[&Cell], (x, y): (u32, u32)) {
        let (style, shape) = look(run[0]);
        let cells = run.len() as u32;
        let opacity = if style.is_dim { DIM } else { "1" };
        if let Some(background) = &style.background {
            self.backgrounds.rectangle((x, y, WIDTH * cells, HEIGHT), background, "1");
        }
        match shape {
            Shape::Text => self.add_text(run, (x, y + BASELINE), &style),
            Shape::Block((x_in_cell, y_in_cell, WIDTH, height), opacity) => {
                let place = (x + x_in_cell, y + y_in_cell, WIDTH * cells, height);
                self.blocks.rectangle(place, &style.color, opacity);
            }
            Shape::Block((x_in_cell, y_in_cell, width, height), opacity) => {
                for cell in 0..cells {
                    let place = (x + cell * WIDTH + x_in_cell, y + y_in_cell, width, height);
                    self.blocks.rectangle(place, &style.color, opacity);
                }
            }
            Shape::Frame(character) => self.frames.frame(character, cells, (x, y), &style.color, opacity),
        }
    }

    fn add_text(&mut self, run: &[&Cell], (x, y): (u32, u32), style: &Style) {
        let text: String = run.iter().filter(|cell| !cell.is_wide_continuation()).map(|cell| content(cell)).collect();
        let spaces = text.len() - text.trim_start().len();
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let width = WIDTH * (run.len() - spaces - trailing_spaces(run)) as u32;
        let (x, color) = (x + WIDTH * spaces as u32, &style.color);
        let _ = write!(self.text, "<text x=\"{x}\" y=\"{y}\" textLength=\"{width}\" fill=\"{color}\"");
        for (is_set, attribute) in [
            (style.is_bold, "font-weight=\"bold\""),
            (style.is_dim, &format!("opacity=\"{DIM}\"")),
            (style.is_underlined, "text-decoration=\"underline\""),
        ] {
            if is_set {
                let _ = write!(self.text, " {attribute}");
            }
        }
        let _ = writeln!(self.text, ">{}</text>", escaped(text));
    }
}

fn look(cell: &Cell) -> (Style, Shape) {
    (Style::of(cell), Shape::of(content(cell)))
}

fn content(cell: &Cell) -> &str {
    if cell.has_contents() { cell.contents() } else { " " }
}

fn trailing_spaces(run: &[&Cell]) -> usize {
    run.iter().rev().take_while(|cell| content(cell) == " " && !cell.is_wide_continuation()).count()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use terminal::vt100::Parser;

    use super::*;

    fn drawn(bytes: &str) -> String {
        let size = |count| std::num::NonZeroU16::new(count).unwrap();
        let mut parser = Parser::new(size(2), size(20), 0);
        parser.process(bytes.as_bytes());
        draw(parser.screen())
    }

    #[test]
    fn cells_of_one_look_become_one_text() {
        let svg = drawn("ab  c \u{1b}[1;31mred\u{1b}[0m");
        let x = |column: u32| MARGIN + column * WIDTH;
        assert_eq!(svg.matches("<text").count(), 2, "{svg}");
        assert!(svg.contains(&format!("<text x=\"{}\"", x(0))) && svg.contains(">ab  c</text>"), "{svg}");
        assert!(svg.contains(&format!("<text x=\"{}\"", x(6))) && svg.contains(" font-weight=\"bold\">red<"), "{svg}");
        assert!(svg.contains(&hex(terminal::vt100::Color::Idx(1)).unwrap()), "{svg}");
    }

    #[test]
    fn text_is_escaped() {
        assert!(drawn("<&>").contains(">&lt;&amp;&gt;</text>"));
    }

    #[test]
    fn equal_shapes_share_a_path() {
        let svg = drawn("▄██▌▌\r\n───╮");
        assert!(!svg.contains("<text"), "{svg}");
        let (top, half) = (MARGIN, MARGIN + HEIGHT / 2);
        assert!(svg.contains(&format!("M{MARGIN} {half}h{WIDTH}v{}", HEIGHT / 2)), "{svg}");
        assert!(svg.contains(&format!("M{} {top}h{}v{HEIGHT}", MARGIN + WIDTH, 2 * WIDTH)), "{svg}");
        assert!(svg.contains(&format!("M{MARGIN} {}h{}M", half + HEIGHT, 3 * WIDTH)), "{svg}");
    }

    #[test]
    fn inverse_swaps_colours() {
        let svg = drawn("\u{1b}[7mx");
        assert!(svg.contains(&format!("<path fill=\"{FOREGROUND}\" d=\"M{MARGIN} {MARGIN}h{WIDTH}v{HEIGHT}")), "{svg}");
        assert!(svg.contains(&format!("fill=\"{BACKGROUND}\">x<")), "{svg}");
    }
}
