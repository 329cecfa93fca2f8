//! Enters the dashboard's terminal mode, raw on the alternate screen, and always restores the terminal, even on a
//! panic.

use std::{
    env, io, panic,
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

use super::diagnostics;
use observer_core::views::Theme;

/// Whether the terminal shows the dashboard.
static IS_ENTERED: AtomicBool = AtomicBool::new(false);

/// The theme for this terminal, from the environment.
pub(crate) fn theme() -> Theme {
    let of = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    // The first variable that is set wins (locale(7)).
    let locale = of("LC_ALL").or_else(|| of("LC_CTYPE")).or_else(|| of("LANG")).unwrap_or_default().to_lowercase();
    let has_unicode = (locale.contains("utf-8") || locale.contains("utf8")) && of("TERM").as_deref() != Some("linux");
    // https://no-color.org: set and not empty.
    Theme { has_colours: of("NO_COLOR").is_none(), has_unicode }
}

/// Sets raw mode, and returns the bytes that switch to the alternate screen. The caller writes them to the terminal.
pub(crate) fn enter() -> anyhow::Result<Vec<u8>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore_now();
            diagnostics::release_if_free();
            report(panic);
        }));
    });
    enable_raw_mode().context("cannot set the modes of the terminal")?;
    IS_ENTERED.store(true, Ordering::Relaxed);
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, Hide)?;
    bytes.extend(clear());
    Ok(bytes)
}

/// The bytes that clear the screen, including the output of other programs.
pub(crate) fn clear() -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = queue!(bytes, ResetColor, Clear(ClearType::All));
    bytes
}

/// Whether the terminal shows the dashboard now, and not the shell.
pub(crate) fn is_entered() -> bool {
    IS_ENTERED.load(Ordering::Relaxed)
}

/// The bytes that leave the alternate screen. None if the terminal was not entered. The caller writes them, and then
/// calls [`restore_modes`].
pub(crate) fn leave() -> Option<Vec<u8>> {
    IS_ENTERED.swap(false, Ordering::Relaxed).then(leave_bytes)
}

pub(crate) fn restore_modes() {
    // Fails only if the terminal is gone.
    let _ = disable_raw_mode();
}

fn leave_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = queue!(bytes, ResetColor, LeaveAlternateScreen, Show);
    bytes
}

/// Restores the terminal at once. Takes no lock of standard output, because the thread that writes frames may hold it
/// while the terminal blocks.
pub(crate) fn restore_now() {
    if let Some(bytes) = leave() {
        restore_modes();
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

    /// Set in the copy of this test that runs on a terminal.
    const HAS_TERMINAL: &str = "TEST_HAS_TERMINAL";

    fn enter_and_panic_in_a_thread() {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&enter().unwrap()).and_then(|()| stdout.write_all(b"dashboard")).unwrap();
        stdout.flush().unwrap();
        io::stdin().read_line(&mut String::new()).unwrap();
        // The panic happens while another thread holds the lock of standard output.
        let thread = thread::spawn(|| panic!("a bug"));
        assert!(thread.join().is_err());
        assert!(!is_entered());
    }

    #[test]
    fn panic_restores_the_terminal() {
        if env::var_os(HAS_TERMINAL).is_some() {
            return enter_and_panic_in_a_thread();
        }
        let terminal = Terminal::open(Size { columns: 100, rows: 30 }).unwrap();
        let before = terminal.modes().unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", "output::terminal::tests::panic_restores_the_terminal"]);
        command.env(HAS_TERMINAL, "1");
        terminal.attach(&mut command).unwrap();
        let mut process = command.spawn().unwrap();
        let timeout = Duration::from_mins(2);
        let entered = terminal.wait(timeout, |screen| screen.alternate_screen() && screen.contents() == "dashboard");
        entered.unwrap_or_else(|error| panic!("{error}"));
        assert!(terminal.modes().unwrap().are_raw());
        terminal.send("\n\r").unwrap();
        let is_restored = |screen: &::terminal::vt100::Screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && screen.contents().contains("a bug")
        };
        let end = terminal.wait(timeout, is_restored);
        end.unwrap_or_else(|error| panic!("{error}"));
        assert!(process.wait().unwrap().success());
        assert_eq!(terminal.modes().unwrap(), before);
    }
}
