//! The options of `compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use observer_core::comparison::{Limits, Mapping};

use super::parse::share;

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Recording (--record), or JSON summary (--summary, or the output of -o json)
    pub(crate) before: PathBuf,

    /// Recording or JSON summary to compare it with
    pub(crate) after: PathBuf,

    /// Output format
    #[arg(short, long, value_enum, default_value_t = CompareOutput::Lines)]
    pub(crate) output: CompareOutput,

    /// Match OLD of BEFORE with NEW of AFTER: addresses, host names, host:port or process names; repeatable
    #[arg(long = "map", value_name = "OLD=NEW")]
    pub(crate) mappings: Vec<Mapping>,

    /// Exit with 3 if the number of avoidable connections grows by more than N
    #[arg(long, value_name = "N")]
    pub(crate) max_avoidable_growth: Option<u64>,

    /// Exit with 3 if the reuse ratio drops by more than this: 0.05 or 5% are five percentage points
    #[arg(long, value_name = "RATIO", value_parser = share)]
    pub(crate) max_reuse_drop: Option<f64>,
}

impl Compare {
    pub(crate) fn limits(&self) -> Limits {
        Limits { max_avoidable_growth: self.max_avoidable_growth, max_reuse_drop: self.max_reuse_drop }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareOutput {
    /// A table, and a sentence at the end
    Lines,
    /// One JSON object
    Json,
    /// A table in Markdown, for the summary page of a CI job
    Markdown,
}
