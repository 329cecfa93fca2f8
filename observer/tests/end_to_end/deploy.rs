//! What is in deploy/, by the programs that will read it: systemd, Prometheus, and the kernel with no more capabilities than
//! are given there.

mod containers;
mod live;
mod rules;
mod unit;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{
    programs::{output_of, program},
    tool::Ended,
};

fn deployed(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    folder.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// The documents of a YAML file.
fn yaml(name: &str) -> Vec<Value> {
    const TO_JSON: &str = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let mut python = program("/usr/bin/python3", "python3-yaml");
    let json = output_of(python.args(["-I", "-c", TO_JSON]).arg(deployed(name)));
    serde_json::from_str(&json).expect("a list of documents")
}

/// The items of a list; none of what is not there.
fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text was expected: {value}"))
}

/// Runs a program of this package on files of a folder in deploy/; what it wrote.
fn run_in(folder: &str, name: &str, package: &str, arguments: &[&str]) -> Ended {
    Ended::run(program(name, package).args(arguments).current_dir(deployed(folder)))
}
