//! The panes: each draws its part of a scene, and changes nothing.

mod chart;
mod columns;
mod detail;
mod digits;
mod fit;
mod footer;
mod groups;
mod header;
mod help;
mod log;
mod scene;
mod share_bar;
mod theme;

use ratatui::Frame;

use super::state::{
    keys::Mode,
    layout::{Layout, Pane},
};
pub(super) use header::height as header_height;
pub(super) use scene::Scene;
pub use theme::Theme;

/// Draws the screen, and returns the detail's offset, which drawing bounds.
pub(super) fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, layout: &Layout) -> usize {
    let mut detail_offset = scene.detail_offset;
    header::draw(scene, frame, layout.header);
    for (pane, area) in &layout.panes {
        match pane {
            Pane::Groups => groups::draw(scene, frame, *area),
            Pane::Chart => chart::draw(scene, frame, *area),
            Pane::Log => log::draw(scene, frame, *area),
            Pane::Detail => detail_offset = detail::draw(scene, frame, *area),
        }
    }
    footer::draw(scene, frame, layout.footer);
    if scene.mode == Mode::Help {
        help::draw(scene.theme, frame);
    }
    detail_offset
}

#[cfg(test)]
pub(super) use footer::hints;
