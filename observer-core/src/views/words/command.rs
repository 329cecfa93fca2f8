//! A command and its end.

use super::brief_time;
use crate::{model::Command, printable::printable};

/// A longer command line is cut.
const MAX_CHARACTERS: usize = 200;

/// Like `npm test`, as a shell would read it.
pub(in crate::views) fn command_line(command: &Command) -> String {
    let words: Vec<String> = command.argv.iter().map(|word| quoted(word)).collect();
    let line = printable(&words.join(" "));
    match line.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Like `ended with exit code 1 after 3.2 s`.
pub(in crate::views) fn command_end(Command { exit_code, signal, wall_us, .. }: &Command) -> String {
    let how = match (exit_code, signal) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by {}", printable(signal)),
        (None, None) => return "goes on".into(),
    };
    format!("{how} after {}", brief_time(*wall_us))
}

fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_./:=,@%+".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(argv: &[&str]) -> Command {
        Command { argv: argv.iter().map(ToString::to_string).collect(), ..Command::default() }
    }

    #[test]
    fn command_line_reads_as_in_a_shell() {
        for (argv, line) in [
            (&["npm", "test"][..], "npm test"),
            (&["sh", "-c", "a | b"], "sh -c 'a | b'"),
            (&["echo", "", "it's"], r"echo '' 'it'\''s'"),
            (&["printf", "\u{1b}[2J\n"], r"printf '\u{1b}[2J\n'"),
        ] {
            assert_eq!(command_line(&command(argv)), line);
        }
        let long = "é".repeat(500);
        assert_eq!(command_line(&command(&[&long])).chars().count(), MAX_CHARACTERS + 1);
    }

    #[test]
    fn end_is_an_exit_code_or_a_signal() {
        let ended = Command { wall_us: 3_200_000, ..Command::default() };
        let exited = Command { exit_code: Some(1), ..ended.clone() };
        assert_eq!(command_end(&exited), "ended with exit code 1 after 3.2 s");
        let killed = Command { signal: Some("SIGKILL".into()), ..ended };
        assert_eq!(command_end(&killed), "was ended by SIGKILL after 3.2 s");
    }
}
