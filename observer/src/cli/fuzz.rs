//! The command line, for the fuzzer.

use std::ffi::OsStr;

use clap::Parser as _;
use observer_core::gate::Unwanted;

use super::{Cli, Command, Ports, parse};

/// Parses and checks a command line, given without the name of the program.
pub fn parse_command_line<'a>(words: impl IntoIterator<Item = &'a OsStr>) {
    let Ok(cli) = Cli::try_parse_from([OsStr::new("x")].into_iter().chain(words)) else { return };
    let _ = cli.check();
    if matches!(cli.command, Some(Command::Replay(_))) {
        return;
    }
    assert!(cli.watch.ports.iter().all(|ports| 0 < ports.first && ports.first <= ports.last));
    assert!(cli.watch.ring_size.is_power_of_two());
}

/// Parses the text as each kind of value. What is accepted reads the same once it is shown.
pub fn parse_value(text: &str) {
    if let Ok(ports) = text.parse::<Ports>() {
        assert_eq!(ports.to_string().parse(), Ok(ports));
    }
    if let Ok(network) = parse::network(text) {
        assert_eq!(parse::network(&network.to_string()), Ok(network));
    }
    assert!(!parse::duration(text).is_ok_and(|time| time.is_zero()));
    if let Ok(parse::Speed::Times(times)) = parse::speed(text) {
        assert!(times > 0.0 && times.is_finite());
    }
    assert!(!parse::share(text).is_ok_and(|share| !(0.0..=1.0).contains(&share)));
    if let Ok(unwanted) = text.parse::<Unwanted>() {
        assert_eq!(unwanted.to_string().parse(), Ok(unwanted));
    }
    assert!(!parse::ring_size(text).is_ok_and(|size| !size.is_power_of_two()));
    assert_eq!(parse::process_name(text).is_err(), text.is_empty());
    let _ = parse::running_process(text);
}
