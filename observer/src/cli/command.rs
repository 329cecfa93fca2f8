//! `-- CMD`: a command to run and watch.

use std::{ffi::OsString, time::Duration};

use clap::Args;

use super::parse::duration;
use crate::runner::Account;

#[derive(Clone, Debug, Args)]
pub(crate) struct RunCommand {
    /// With a command: run it as this user [default: under sudo, the caller]
    #[arg(long, value_name = "USER", requires = "argv", value_parser = Account::named)]
    pub(crate) run_as: Option<Account>,

    /// With a command: after its end, wait this long for its descendants; after a signal to end, for itself
    #[arg(long, value_name = "TIME", default_value = "10s", requires = "argv", value_parser = duration)]
    pub(crate) linger: Duration,

    /// With a command: run it unwatched where the kernel or the privileges do not suffice
    #[arg(long, requires = "argv")]
    pub(crate) allow_unsupported: bool,

    /// Run this command, and watch only it and its descendants
    #[arg(last = true, value_name = "CMD")]
    pub(crate) argv: Vec<OsString>,
}
