//! `--min-reuse` and its like: what a watch, or the replay of one, must show; and the files that tell of it.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use observer_core::gate::{self, Unwanted};

use super::parse::share;

#[derive(Clone, Debug, Args)]
pub(crate) struct Gates {
    /// Fail with exit code 3 if less than this share of the requests reused a connection: 0 to 1, or a percentage such as
    /// 90%
    #[arg(long, value_name = "RATIO", value_parser = share)]
    min_reuse: Option<f64>,

    /// Fail with exit code 3 if more than N connections could have been avoided
    #[arg(long, value_name = "N")]
    max_avoidable: Option<u64>,

    /// Fail with exit code 3 if one of these diagnoses is certain or likely: names separated by commas, or any
    #[arg(long, value_name = "DIAGNOSIS,...|any")]
    fail_on: Option<Unwanted>,

    /// Write a report of the gates and the worst groups at the end; markdown is added to its file; repeatable
    #[arg(
        id = "report",
        long = "report",
        value_name = "junit=FILE|markdown=FILE",
        value_parser = OsStringValueParser::new().try_map(|text| report(&text))
    )]
    pub(crate) reports: Vec<Report>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) format: ReportFormat,
    pub(crate) file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    Junit,
    Markdown,
}

impl Gates {
    pub(crate) fn gates(&self) -> gate::Gates {
        let Self { min_reuse, max_avoidable, fail_on, reports: _ } = self;
        gate::Gates { min_reuse: *min_reuse, max_avoidable: *max_avoidable, unwanted: fail_on.clone() }
    }

    /// Each report under the name of its option.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.reports.iter().map(|report| ("--report", report.file.as_path()))
    }
}

fn report(text: &OsStr) -> Result<Report, &'static str> {
    const FORMATS: [(&[u8], ReportFormat); 2] =
        [(b"junit=", ReportFormat::Junit), (b"markdown=", ReportFormat::Markdown)];
    let bytes = text.as_bytes();
    let found = FORMATS.into_iter().find_map(|(prefix, format)| Some((format, bytes.strip_prefix(prefix)?)));
    match found {
        Some((format, file @ [_, ..])) => Ok(Report { format, file: OsStr::from_bytes(file).into() }),
        _ => Err("use junit=FILE or markdown=FILE"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{super::Cli, *};

    fn gates(arguments: &str) -> Result<Gates, String> {
        let words = ["x"].into_iter().chain(arguments.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.watch.gates).map_err(|error| error.to_string())
    }

    #[test]
    fn errors_name_the_value_and_the_accepted_ones() {
        for (arguments, value, accepted) in [
            ("--min-reuse 90", "'90'", "90%"),
            ("--max-avoidable -1", "-1", ""),
            ("--max-avoidable some", "'some'", ""),
            ("--fail-on slow", "'slow' is no diagnosis", "response-not-read, closed-after-response, pool-too-small"),
            ("--fail-on request-cap", "'request-cap' is healthy", "stale-connection, port-exhaustion"),
            ("--report html=x", "html=x", "junit=FILE or markdown=FILE"),
            ("--report junit=", "junit=", "junit=FILE or markdown=FILE"),
            ("--report junit", "junit", "junit=FILE or markdown=FILE"),
        ] {
            let error = gates(arguments).unwrap_err();
            assert!(error.contains(value) && error.contains(accepted), "{arguments}: {error}");
        }
    }

    #[test]
    fn reports_are_repeatable_and_have_paths_of_any_bytes() {
        let parsed = gates("--report junit=a.xml --report markdown=b=c").unwrap();
        let (junit, markdown) = (ReportFormat::Junit, ReportFormat::Markdown);
        let expected = [(junit, "a.xml"), (markdown, "b=c")];
        assert_eq!(parsed.reports, expected.map(|(format, file)| Report { format, file: file.into() }));
        let bytes = OsStr::from_bytes(b"--report=junit=\xff");
        let cli = Cli::try_parse_from([OsStr::new("x"), bytes]).unwrap();
        assert_eq!(cli.watch.gates.reports[0].file.as_os_str().as_bytes(), b"\xff");
    }
}
