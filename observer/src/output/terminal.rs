//! The terminal as the dashboard needs it: raw, and on its other screen; and back again, whatever happens.

use std::{
    env,
    io::{self, IsTerminal as _},
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
    terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};

use crate::output::diagnostics;
use observer_core::views::Theme;

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
            diagnostics::release_if_free();
            report(panic);
        }));
    });
    enable_raw_mode().context("cannot set the modes of the terminal")?;
    IS_TAKEN.store(true, Ordering::Relaxed);
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, Hide)?;
    bytes.extend(cleared());
    Ok(bytes)
}

/// What empties the screen, whatever others have written there.
pub(crate) fn cleared() -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = queue!(bytes, ResetColor, Clear(ClearType::All));
    bytes
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

/// For when there is no time for anything else. It takes no lock of standard output: the thread that writes frames may
/// have it, and wait for a terminal that takes nothing.
pub(crate) fn give_back_now() {
    if let Some(bytes) = give_back() {
        modes_back();
        let mut rest = &bytes[..];
        while let Ok(written @ 1..) = rustix::io::retry_on_intr(|| rustix::io::write(io::stdout(), rest)) {
            rest = &rest[written..];
            if rest.is_empty() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, process::Command, thread, time::Duration};

    use ::terminal::{Size, Terminal};

    use super::*;

    /// Set in the process that this test starts of itself, whose standard output is a terminal.
    const HAS_TERMINAL: &str = "TEST_HAS_TERMINAL";

    fn take_the_terminal_and_panic_in_a_thread() {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&take().unwrap()).and_then(|()| stdout.write_all(b"dashboard")).unwrap();
        stdout.flush().unwrap();
        io::stdin().read_line(&mut String::new()).unwrap();
        // While another one has standard output.
        let thread = thread::spawn(|| panic!("it has a bug"));
        assert!(thread.join().is_err());
        assert!(!is_taken());
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        if env::var_os(HAS_TERMINAL).is_some() {
            return take_the_terminal_and_panic_in_a_thread();
        }
        let terminal = Terminal::open(Size { columns: 100, rows: 30 }).unwrap();
        let before = terminal.modes().unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", "output::terminal::tests::a_panic_gives_the_terminal_back"]);
        command.env(HAS_TERMINAL, "1");
        terminal.attach(&mut command).unwrap();
        let mut process = command.spawn().unwrap();
        let patience = Duration::from_secs(10);
        let taken = terminal.wait(patience, |screen| screen.alternate_screen() && screen.contents() == "dashboard");
        taken.unwrap_or_else(|error| panic!("{error}"));
        assert!(terminal.modes().unwrap().are_raw());
        terminal.send("\n\r").unwrap();
        let given_back = |screen: &::terminal::vt100::Screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && screen.contents().contains("it has a bug")
        };
        let end = terminal.wait(patience, given_back);
        end.unwrap_or_else(|error| panic!("{error}"));
        assert!(process.wait().unwrap().success());
        assert_eq!(terminal.modes().unwrap(), before);
    }
}
