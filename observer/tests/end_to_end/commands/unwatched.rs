//! Where nothing can be watched, the command is not run, or with `--allow-unsupported` runs unwatched.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    nobody::{as_nobody, chown_to_nobody, world_executable_tool},
    report::assert_fields,
    tool::RunOutput,
};

#[test]
fn command_is_not_run_without_privileges() {
    let (folder, tool) = world_executable_tool();
    let marker = folder.path().join("marker");
    chown_to_nobody(folder.path());
    let output = RunOutput::run(&mut as_nobody(&tool, &format!("-- touch {}", marker.display())));
    output.assert_code(4);
    assert!(!marker.exists(), "the command was run");
}

#[test]
fn allowed_command_runs_unwatched_and_no_gate_is_judged() {
    let (folder, tool) = world_executable_tool();
    chown_to_nobody(folder.path());
    let file = folder.path().join("summary");
    let arguments = format!("--allow-unsupported --min-reuse 0.9 --max-avoidable 0 --summary {}", file.display());
    let output = RunOutput::run(as_nobody(&tool, &arguments).args(["--", "sh", "-c", "echo run; exit 6"]));
    output.assert_code(6);
    assert_eq!(output.stdout, "run\n");
    assert!(output.stderr.contains("warning: the command is not watched"), "{}", output.stderr);
    let summary: Value = serde_json::from_slice(&fs::read(&file).expect("there is a summary")).expect("JSON");
    assert_fields(&summary, &json!({ "complete": false, "exact": false, "hooks": [] }));
    assert_fields(&summary["command"], &json!({ "exit_code": 6 }));
    let gates = summary["gates"].as_array().expect("two gates");
    assert_eq!(gates.iter().map(|gate| &gate["result"]).collect::<Vec<_>>(), ["skipped", "skipped"]);
}
