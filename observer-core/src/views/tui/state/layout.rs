//! Which panes fit on the screen, and where. The focused pane is always shown. Where room is short, the log goes first, then
//! the chart, then the detail.

use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    Groups,
    Detail,
    Log,
    Chart,
}

/// In the order of Tab.
pub(crate) const PANES: [Pane; 4] = [Pane::Groups, Pane::Detail, Pane::Log, Pane::Chart];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) header: Rect,
    pub(crate) panes: Vec<(Pane, Rect)>,
    pub(crate) footer: Rect,
}

/// Minimum number of columns for two panes side by side.
const WIDE: u16 = 110;

/// Minimum number of rows of a pane, including its frame.
const LEAST: u16 = 5;

impl Layout {
    /// `groups` and `header` are the rows of the table and of the header.
    pub(crate) fn new(area: Rect, focus: Pane, is_widened: bool, groups: usize, header: u16) -> Self {
        let footer_height = u16::from(area.height >= 3);
        let header = Rect { height: header.min(area.height - footer_height), ..area };
        let footer = Rect { y: area.bottom() - footer_height, height: footer_height, ..area };
        let body =
            Rect { y: header.bottom(), height: area.height.saturating_sub(header.height + footer.height), ..area };
        let panes =
            if is_widened || body.height < 2 * LEAST { vec![(focus, body)] } else { several(body, focus, groups) };
        Self { header, panes, footer }
    }

    pub(crate) fn area_of(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(present, _)| *present == pane).map(|(_, area)| *area)
    }
}

fn several(body: Rect, focus: Pane, groups: usize) -> Vec<(Pane, Rect)> {
    let mut panes = Vec::new();
    let mut rest = body;
    let mut take = |height: u16| {
        let taken = Rect { height, ..rest };
        rest = Rect { y: rest.y + height, height: rest.height - height, ..rest };
        taken
    };
    let has_chart = body.height >= 18;
    if has_chart {
        panes.push((Pane::Chart, take((body.height / 5).clamp(6, 12))));
    }
    let left = body.height - panes.iter().map(|(_, area)| area.height).sum::<u16>();
    // Two rows for the frame and one for the titles.
    let wanted = u16::try_from(groups).unwrap_or(u16::MAX).saturating_add(3);
    panes.push((Pane::Groups, take(wanted.clamp(LEAST, share(left, 9, 20).max(LEAST)))));
    let lower = match focus {
        Pane::Log => Pane::Log,
        Pane::Chart if !has_chart => Pane::Chart,
        _ => Pane::Detail,
    };
    if rest.width >= WIDE {
        let left = Rect { width: rest.width / 2, ..rest };
        let right = Rect { x: left.right(), width: rest.width - left.width, ..rest };
        let left_pane = if lower == Pane::Log { Pane::Detail } else { lower };
        panes.extend([(left_pane, left), (Pane::Log, right)]);
    } else if rest.height >= 5 * LEAST {
        let upper = Rect { height: share(rest.height, 2, 3), ..rest };
        let below = Rect { y: upper.bottom(), height: rest.height - upper.height, ..rest };
        panes.extend([(Pane::Detail, upper), (Pane::Log, below)]);
    } else {
        panes.push((lower, rest));
    }
    panes
}

/// The fraction `parts / all` of rows.
fn share(rows: u16, parts: u32, all: u32) -> u16 {
    (u32::from(rows) * parts / all) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_never_overlap_and_the_focused_one_is_shown_at_every_size() {
        let sizes = (0..=220).step_by(11).flat_map(|width| (0..=90).map(move |height| (width, height)));
        for (width, height) in sizes.chain([(80, 20_000), (80, u16::MAX)]) {
            for (focus, is_widened, groups) in
                PANES.into_iter().flat_map(|focus| [(focus, false, 0), (focus, false, 500), (focus, true, 3)])
            {
                let area = Rect::new(0, 0, width, height);
                let layout = Layout::new(area, focus, is_widened, groups, height % 7);
                let panes = layout.panes.iter().map(|(_, area)| *area);
                let all: Vec<Rect> = panes.chain([layout.header, layout.footer]).collect();
                let covered: u32 = all.iter().map(|area| area.area()).sum();
                assert!(all.iter().all(|one| area.intersection(*one) == *one), "{area:?}: {layout:?}");
                assert!(covered <= area.area(), "{area:?}: they overlap: {layout:?}");
                assert!(layout.area_of(focus).is_some(), "{area:?}: {focus:?} is focused but not shown");
            }
        }
    }

    #[test]
    fn log_goes_first_then_the_chart() {
        let panes = |width, height| {
            let layout = Layout::new(Rect::new(0, 0, width, height), Pane::Groups, false, 2, 3);
            layout.panes.into_iter().map(|(pane, _)| pane).collect::<Vec<_>>()
        };
        assert_eq!(panes(60, 15), [Pane::Groups, Pane::Detail]);
        assert_eq!(panes(80, 24), [Pane::Chart, Pane::Groups, Pane::Detail]);
        assert_eq!(panes(120, 40), [Pane::Chart, Pane::Groups, Pane::Detail, Pane::Log]);
        assert_eq!(panes(60, 10), [Pane::Groups]);
    }
}
