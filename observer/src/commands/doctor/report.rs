//! All checks, rendered as lines or as one JSON object.

use std::fmt::Write as _;

use serde::Serialize;

use super::check::Check;
use observer_core::views::wrap::push_wrapped;

const SCHEMA: u32 = 1;
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The JSON of the report is a contract: fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    r#type: &'static str,
    schema: u32,
    version: &'static str,
    pub(super) kernel: String,
    pub(super) checks: Vec<Check>,
    /// The hooks that `auto` would attach. Null if no set can be attached.
    pub(super) hooks: Option<Vec<&'static str>>,
    /// Better sets, and why they would not be attached.
    pub(super) hooks_not_taken: Vec<String>,
    pub(super) runs: bool,
    /// Why the watch would not run.
    pub(super) obstacle: Option<String>,
}

impl Report {
    pub(super) fn new(kernel: String, checks: Vec<Check>) -> Self {
        Self {
            r#type: "doctor",
            schema: SCHEMA,
            version: VERSION,
            kernel,
            checks,
            hooks: None,
            hooks_not_taken: Vec::new(),
            runs: false,
            obstacle: None,
        }
    }

    pub(super) fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// A line for each check, its remedy below it, and the verdict.
    pub(super) fn lines(&self) -> String {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        let indent = width + "  missing  ".len();
        let mut text = String::new();
        let mut last_remedy = None;
        for check in &self.checks {
            let _ = write!(text, "{:<width$}  {:<7}  ", check.name, check.status.name());
            push_wrapped(&mut text, &check.detail, indent);
            if let Some(remedy) = &check.remedy
                && last_remedy != Some(remedy)
            {
                text.push_str(&" ".repeat(indent));
                push_wrapped(&mut text, &format!("→ {remedy}"), indent + 2);
                last_remedy = Some(remedy);
            }
        }
        let _ = writeln!(text, "\n{}", self.verdict());
        text
    }

    fn verdict(&self) -> String {
        match (&self.hooks, &self.obstacle) {
            (Some(hooks), _) => format!("the watch would run, by {}", hooks.join(" + ")),
            (None, Some(why)) => format!("the watch would not run: {why}"),
            (None, None) => "the watch would not run".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observer_core::views::wrap::WIDTH;

    fn report() -> Report {
        let missing = |name| Check::missing(name, "not there, ".repeat(12), "run: sudo it");
        Report::new("6.1.0".into(), vec![Check::ok("kernel", "Linux 6.1"), missing("CAP_BPF"), missing("CAP_PERFMON")])
    }

    #[test]
    fn lines_are_aligned_and_wrapped() {
        let lines = report().lines();
        assert!(lines.starts_with("kernel       ok       Linux 6.1\nCAP_BPF      missing  not there,"), "{lines}");
        assert!(lines.lines().all(|line| line.chars().count() <= WIDTH), "{lines}");
        assert_eq!(lines.matches("→ run: sudo it").count(), 1, "a repeated remedy is printed once: {lines}");
        assert!(lines.ends_with("\nthe watch would not run\n"), "{lines}");
    }

    #[test]
    fn last_line_is_the_verdict() {
        let runs = Report { hooks: Some(vec!["sockops", "kprobe"]), runs: true, ..report() };
        assert!(runs.lines().ends_with("\n\nthe watch would run, by sockops + kprobe\n"));
        let fails = Report { obstacle: Some("not permitted".into()), ..report() };
        assert!(fails.lines().ends_with("\n\nthe watch would not run: not permitted\n"));
    }
}
