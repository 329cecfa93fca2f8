//! Text cut to a width.

use ratatui::text::Line;

use super::theme::Theme;

/// Text is aligned left and gets a mark where it is cut. Numbers are aligned right.
pub(super) fn aligned(theme: Theme, text: &str, width: u16, is_text: bool) -> String {
    let width = usize::from(width);
    if !is_text {
        return format!("{text:>width$}");
    }
    if Line::raw(text).width() <= width {
        return format!("{text:<width$}");
    }
    // A process id is shown whole or not at all: its first digits would be another process.
    let name = text.rfind('[').filter(|_| text.ends_with(']')).map_or(text, |begin| &text[..begin]);
    let kept: String = name.chars().take(width.saturating_sub(1)).collect();
    kept + mark(theme)
}

/// Cuts an address in the middle, because its port matters as much as its start.
pub(super) fn cut_middle(theme: Theme, address: &str, width: usize) -> String {
    let length = address.len();
    if length <= width {
        return address.into();
    }
    let kept = width.saturating_sub(1);
    format!("{}{}{}", &address[..kept.div_ceil(2)], mark(theme), &address[length - kept / 2..])
}

/// Cuts text at its end.
pub(super) fn cut_end(theme: Theme, text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let mark = theme.text("…");
    let kept: String = text.chars().take(width.saturating_sub(mark.chars().count())).collect();
    kept + &mark
}

/// One column wide, unlike the ellipsis of [`Theme::text`].
fn mark(theme: Theme) -> &'static str {
    if theme.has_unicode { "…" } else { "." }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_process_ids_are_never_cut() {
        let theme = Theme { has_colours: false, has_unicode: true };
        let cut = |address, width| cut_middle(theme, address, width);
        assert_eq!(cut("[2001:db8:1234:5678:9abc::1]:65535", 20), "[2001:db8:…:1]:65535");
        assert_eq!([0, 1, 2, 7, 8].map(|width| cut("[::1]:80", width)), ["…", "…", "[…", "[::…:80", "[::1]:80"]);
        let names = ["worker-49[1499]", "worker-49[9]", "a-fifteen-bytes[4194303]"];
        assert_eq!(names.map(|name| aligned(theme, name, 13, true)), ["worker-49…", "worker-49[9] ", "a-fifteen-by…"]);
    }
}
