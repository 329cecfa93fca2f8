//! Content negotiation: the format by the Accept header, and gzip by Accept-Encoding (RFC 9110, 12.5).

use observer_core::views::Format;

/// Returns OpenMetrics if the client names it, in the supported version, with at least the quality of plain text.
pub(super) fn format(accept: &str) -> Format {
    let mut openmetrics = 0.0_f32;
    let mut text = 0.0_f32;
    for Preference { name, quality, version } in preferences(accept) {
        match name.as_str() {
            "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                openmetrics = openmetrics.max(quality);
            }
            "text/plain" if matches!(version, None | Some("0.0.4")) => text = text.max(quality),
            _ => {}
        }
    }
    if openmetrics > 0.0 && openmetrics >= text { Format::OpenMetrics } else { Format::Text }
}

/// Whether the client names gzip. A wildcard does not count.
pub(super) fn accepts_gzip(accept_encoding: &str) -> bool {
    preferences(accept_encoding).any(|preference| preference.name == "gzip" && preference.quality > 0.0)
}

struct Preference<'a> {
    name: String,
    quality: f32,
    version: Option<&'a str>,
}

/// Parses `name;version=1;q=0.5, name, ...`.
fn preferences(header: &str) -> impl Iterator<Item = Preference<'_>> {
    header.split(',').map(|preference| {
        let mut parts = preference.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0, None);
        for (parameter, value) in parts.filter_map(|part| part.split_once('=')) {
            match parameter.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        Preference { name, quality, version }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_must_be_named() {
        // Prometheus 2.42 and 3.
        const SECOND: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                              text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        const THIRD: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for accept in [SECOND, THIRD, "application/openmetrics-text", "Application/OpenMetrics-Text; Version=\"1.0.0\""]
        {
            assert_eq!(format(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain",
            "text/plain;version=0.0.4,application/openmetrics-text;q=0.5",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=x",
            ";;=,,q=",
        ] {
            assert_eq!(format(accept), Format::Text, "{accept}");
        }
    }

    #[test]
    fn gzip_must_be_named() {
        for (accept_encoding, accepts) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("", false),
            ("*", false),
            ("gzip;q=0", false),
            ("x-gzip", false),
        ] {
            assert_eq!(accepts_gzip(accept_encoding), accepts, "{accept_encoding}");
        }
    }
}
