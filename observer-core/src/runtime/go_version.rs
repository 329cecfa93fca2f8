//! Versions of Go.

use std::fmt;

/// A release of Go. Betas and release candidates count as their release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoVersion {
    pub major: u16,
    pub minor: u16,
    pub patch: Option<u16>,
}

impl GoVersion {
    /// Parses the displayed form.
    pub(super) fn from_name(version: &str) -> Option<Self> {
        Self::parse(format!("go{version}").as_bytes())
    }

    /// Parses the form that Go's linker writes: `go1.19.8`, `go1.22`, `go1.21rc2`, `devel go1.25-a1b2c3 Mon ...` or
    /// `go1.21.0 X:boringcrypto`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let start = text.windows(2).position(|word| word == b"go")? + 2;
        let (major, rest) = split_number(&text[start..])?;
        let (minor, rest) = split_number(rest.strip_prefix(b".")?)?;
        let patch = rest.strip_prefix(b".").and_then(split_number).map(|(patch, _)| patch);
        Some(Self { major, minor, patch })
    }
}

/// The leading number and the text after it.
fn split_number(text: &[u8]) -> Option<(u16, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        GoVersion::parse(text.as_bytes()).map(|version| version.to_string())
    }

    #[test]
    fn every_form_of_a_version_is_parsed() {
        assert_eq!(parsed("go1.19.8").unwrap(), "1.19.8");
        assert_eq!(parsed("go1.22").unwrap(), "1.22");
        assert_eq!(parsed("go1.21rc2").unwrap(), "1.21");
        assert_eq!(parsed("go1.21.0 X:boringcrypto").unwrap(), "1.21.0");
        assert_eq!(parsed("devel go1.25-a1b2c3 Mon Jan 1").unwrap(), "1.25");
        for other in ["", "go", "go1", "go1.", "gone", "1.19", "go99999999.1", "go1.\u{ff11}"] {
            assert_eq!(parsed(other), None, "{other}");
        }
    }
}
