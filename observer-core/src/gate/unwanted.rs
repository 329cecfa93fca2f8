//! The diagnoses of `--fail-on`, as they are written: names separated by commas, or `any`.

use std::{fmt, str::FromStr};

use crate::diagnosis::Finding;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwanted {
    /// Every one that is a problem.
    Any,
    These(Vec<Finding>),
}

const ANY: &str = "any";

impl Unwanted {
    pub fn contains(&self, finding: Finding) -> bool {
        match self {
            Self::Any => !finding.is_healthy(),
            Self::These(findings) => findings.contains(&finding),
        }
    }
}

impl FromStr for Unwanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == ANY {
            return Ok(Self::Any);
        }
        text.split(',').map(finding).collect::<Result<_, _>>().map(Self::These)
    }
}

/// The problem of this name.
fn finding(name: &str) -> Result<Finding, String> {
    let is_problem = |finding: &Finding| !finding.is_healthy();
    match Finding::ALL.into_iter().find(|finding| finding.name() == name) {
        Some(finding) if is_problem(&finding) => Ok(finding),
        found => {
            let wrong = if found.is_some() { "is healthy, so nothing fails on it" } else { "is no diagnosis" };
            let names: Vec<&str> = Finding::ALL.into_iter().filter(is_problem).map(Finding::name).collect();
            Err(format!("'{name}' {wrong}: use {ANY}, or some of {}", names.join(", ")))
        }
    }
}

impl fmt::Display for Unwanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str(ANY),
            Self::These(findings) => {
                let names: Vec<&str> = findings.iter().map(|finding| finding.name()).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}
