//! `cargo xtask check`: everything that needs no root and installs nothing, for the loop of editing and checking.

use std::env::consts::ARCH;
use std::process::ExitCode;

use anyhow::Result;

use crate::ebpf;
use crate::support::cargo_test;
use crate::support::failures::Failures;
use crate::support::steps::{cargo, lint, step};
use crate::support::tally::Tally;
use crate::support::workspace::{Workspace, succeeds};

/// Run every check that needs no root: formatting, lints and the unprivileged tests
///
/// Installs nothing. Also runs cargo-deny if it is installed. The last lines say what was left out.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let mut tally = Tally::default();
    lint(&workspace)?;
    step("cargo test --workspace --locked", || {
        cargo_test::run(cargo_test::unprivileged(&workspace), &mut tally, &mut Failures::default())
    })?;
    let mut left_out = vec![
        format!(
            "the tests that need root ({}), the soak and the other kernels: cargo xtask test",
            cargo_test::PRIVILEGED.join(", ")
        ),
        bpf_objects(&workspace)?.to_owned(),
    ];
    if succeeds(workspace.cargo().args(["deny", "--version"])) {
        // Offline, the metadata of one target only is complete. Advisories need the network.
        let target = format!("{ARCH}-unknown-linux-gnu");
        let deny = ["deny", "--offline", "--log-level", "error", "--workspace", "--target", &target];
        cargo(&workspace, &[&deny[..], &["check", "bans", "licenses", "sources"]].concat())?;
        left_out.push("advisories about the dependencies, which need the network: cargo deny check advisories".into());
    } else {
        left_out.push("licences and sources of the dependencies: cargo install cargo-deny --locked".into());
    }
    println!("\n{tally}\nleft out:");
    for line in left_out {
        println!("  {line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The objects are not rebuilt here, because the digest of their sources shows whether they are out of date.
fn bpf_objects(workspace: &Workspace) -> Result<&'static str> {
    Ok(if ebpf::is_up_to_date(workspace)? {
        "rebuilding the BPF objects: cargo xtask ebpf --check"
    } else {
        "the BPF objects in observer/bpf, which are older than their sources: cargo xtask ebpf"
    })
}
