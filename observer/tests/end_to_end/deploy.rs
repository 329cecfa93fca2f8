//! The files in deploy/, checked by the programs that read them: systemd, Prometheus, and the kernel with only the
//! capabilities that they grant.

mod containers;
mod queries;
mod rules;
mod unit;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{
    programs::{output_of, program},
    tool::RunOutput,
};

fn deployed(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    folder.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// Parses the documents of a YAML file.
fn yaml(name: &str) -> Vec<Value> {
    const TO_JSON: &str = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let mut python = program("/usr/bin/python3", "python3-yaml");
    let json = output_of(python.args(["-I", "-c", TO_JSON]).arg(deployed(name)));
    serde_json::from_str(&json).expect("a list of documents")
}

/// The items of a list, or none if the list is absent.
fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("expected a string: {value}"))
}

/// Runs a program of this Debian package in a directory of deploy/.
fn run_in(folder: &str, name: &str, package: &str, arguments: &[&str]) -> RunOutput {
    RunOutput::run(program(name, package).args(arguments).current_dir(deployed(folder)))
}
