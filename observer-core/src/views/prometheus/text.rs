//! The text formats of Prometheus, 0.0.4 and OpenMetrics 1.0.0. They differ in the names of counter families, in info metrics
//! and in the last line.
//!
//! Written by hand, because no crate writes both formats, and because their registries are for programs that count in
//! their own memory: these counters are in the kernel, and would have to be copied one by one (docs/ARCHITECTURE.md).

use std::fmt::{Display, Write as _};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    Text,
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The kind decides the suffix of a name: `_total`, `_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// A gauge with the value 1 in the text format.
    Info,
}

/// Labels in the text format, without braces. Built once for all samples that share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(String);

impl Labels {
    pub(super) fn with(mut self, name: &str, value: impl Display) -> Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        for character in value.to_string().chars() {
            match character {
                '\\' => self.0.push_str(r"\\"),
                '"' => self.0.push_str(r#"\""#),
                '\n' => self.0.push_str(r"\n"),
                other => self.0.push(other),
            }
        }
        self.0.push('"');
        self
    }
}

pub(super) struct Text {
    written: String,
    format: Format,
    family: &'static str,
}

impl Text {
    pub(super) fn new(format: Format) -> Self {
        Self { written: String::new(), format, family: "" }
    }

    /// Starts a family; all its samples must follow. `help` must not contain quotes, backslashes or line breaks.
    pub(super) fn family(&mut self, family: &'static str, kind: Kind, help: &str) {
        let (name, kind) = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => (family.to_owned(), "counter"),
            (Format::OpenMetrics, Kind::Info) => (family.to_owned(), "info"),
            (Format::Text, Kind::Counter) => (format!("{family}_total"), "counter"),
            (Format::Text, Kind::Info) => (format!("{family}_info"), "gauge"),
            (_, Kind::Gauge) => (family.to_owned(), "gauge"),
            (_, Kind::Histogram) => (family.to_owned(), "histogram"),
        };
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        self.family = family;
    }

    /// Writes a sample. `suffix` follows the name of the family, such as `_total`.
    pub(super) fn sample(&mut self, suffix: &str, labels: &Labels, value: impl Display) {
        let family = self.family;
        if labels.0.is_empty() {
            self.write(format_args!("{family}{suffix} {value}\n"));
        } else {
            self.write(format_args!("{family}{suffix}{{{}}} {value}\n", labels.0));
        }
    }

    /// Writes a histogram from the counts of its buckets. The last bucket has no bound.
    pub(super) fn histogram(&mut self, labels: &Labels, bounds: &[f64], counts: &[u64], sum: impl Display) {
        let mut up_to = 0;
        for (n, count) in counts.iter().enumerate() {
            up_to += count;
            // OpenMetrics' notation in both formats, because the bound is part of the series' identity.
            let bound = bounds.get(n).map_or("+Inf".into(), |bound| format!("{bound:?}"));
            self.sample("_bucket", &labels.clone().with("le", bound), up_to);
        }
        self.sample("_sum", labels, sum);
        self.sample("_count", labels, up_to);
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.written.push_str("# EOF\n");
        }
        self.written
    }

    fn write(&mut self, text: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = self.written.write_fmt(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> String {
        let mut text = Text::new(format);
        text.family("asked", Kind::Counter, "Questions.");
        text.sample("_total", &Labels::default().with("by", "me"), 3);
        text.family("thing", Kind::Info, "What it is.");
        text.sample("_info", &Labels::default().with("version", "1").with("kernel", "6.1"), 1);
        text.family("open", Kind::Gauge, "Doors.");
        text.sample("", &Labels::default(), 2);
        text.family("lasted_seconds", Kind::Histogram, "How long.");
        text.histogram(&Labels::default().with("a", "b"), &[0.5, 10.0], &[1, 2, 0], 7.25);
        text.finish()
    }

    const HISTOGRAM: &str = r#"# HELP lasted_seconds How long.
# TYPE lasted_seconds histogram
lasted_seconds_bucket{a="b",le="0.5"} 1
lasted_seconds_bucket{a="b",le="10.0"} 3
lasted_seconds_bucket{a="b",le="+Inf"} 3
lasted_seconds_sum{a="b"} 7.25
lasted_seconds_count{a="b"} 3
"#;

    #[test]
    fn text_format() {
        let expected = r#"# HELP asked_total Questions.
# TYPE asked_total counter
asked_total{by="me"} 3
# HELP thing_info What it is.
# TYPE thing_info gauge
thing_info{version="1",kernel="6.1"} 1
# HELP open Doors.
# TYPE open gauge
open 2
"#;
        assert_eq!(written(Format::Text), format!("{expected}{HISTOGRAM}"));
    }

    #[test]
    fn openmetrics() {
        let expected = r#"# HELP asked Questions.
# TYPE asked counter
asked_total{by="me"} 3
# HELP thing What it is.
# TYPE thing info
thing_info{version="1",kernel="6.1"} 1
# HELP open Doors.
# TYPE open gauge
open 2
"#;
        assert_eq!(written(Format::OpenMetrics), format!("{expected}{HISTOGRAM}# EOF\n"));
    }

    #[test]
    fn label_values_are_escaped() {
        let labels = Labels::default().with("process", "a\"} 1\nb\\").with("n", 7);
        assert_eq!(labels.0, r#"process="a\"} 1\nb\\",n="7""#);
    }
}
