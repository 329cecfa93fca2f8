//! The terminal as the dashboard needs it: raw, and on its other screen; and back again, whatever happens.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use ratatui::crossterm::{
    cursor::{Hide, Show},
    queue,
    style::ResetColor,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};

use crate::view::Theme;

/// Whether it is in the dashboard's hands.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Why there can be no dashboard.
pub(crate) fn obstacle() -> Option<&'static str> {
    match env::var("TERM").as_deref() {
        _ if !io::stdin().is_terminal() => Some("standard input is no terminal"),
        _ if !io::stdout().is_terminal() => Some("standard output is no terminal"),
        Err(_) | Ok("" | "dumb") => Some("TERM does not name a terminal that can do it"),
        Ok(_) => None,
    }
}

/// What the environment says that the terminal shows.
pub(crate) fn theme() -> Theme {
    let of = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    // The first of these that is set counts (locale(7)).
    let locale = of("LC_ALL").or_else(|| of("LC_CTYPE")).or_else(|| of("LANG")).unwrap_or_default().to_lowercase();
    let has_unicode = (locale.contains("utf-8") || locale.contains("utf8")) && of("TERM").as_deref() != Some("linux");
    // https://no-color.org: set, and not empty.
    Theme { has_colours: of("NO_COLOR").is_none(), has_unicode }
}

/// Takes the terminal. What is returned has to be written to it then.
pub(crate) fn take() -> anyhow::Result<Vec<u8>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back_now();
            report(panic);
        }));
    });
    enable_raw_mode().context("cannot set the modes of the terminal")?;
    IS_TAKEN.store(true, Ordering::Relaxed);
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, Hide)?;
    Ok(bytes)
}

/// Whether what is written to it now is seen on the dashboard's own screen.
pub(crate) fn is_taken() -> bool {
    IS_TAKEN.load(Ordering::Relaxed)
}

/// Its modes, and what brings back the screen and has to be written to it first, if it was taken.
pub(crate) fn give_back() -> Option<Vec<u8>> {
    IS_TAKEN.swap(false, Ordering::Relaxed).then(screen_back)
}

/// To be called when that is written.
pub(crate) fn modes_back() {
    // Fails only when there is no terminal any more.
    let _ = disable_raw_mode();
}

fn screen_back() -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = queue!(bytes, ResetColor, LeaveAlternateScreen, Show);
    bytes
}

/// For when there is no time for anything else.
pub(crate) fn give_back_now() {
    if let Some(bytes) = give_back() {
        modes_back();
        let mut stdout = io::stdout();
        let _ = stdout.write_all(&bytes).and_then(|()| stdout.flush());
    }
}
