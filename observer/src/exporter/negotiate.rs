//! Which format a client wants, by its Accept header, and whether it takes gzip, by Accept-Encoding (RFC 9110, 12.5).

use observer_core::views::Format;

/// OpenMetrics if it is asked for by name, in the version that is spoken here, and liked no less than plain text.
pub(super) fn format(accept: &str) -> Format {
    let mut openmetrics = 0.0_f32;
    let mut text = 0.0_f32;
    for Wish { what, quality, version } in wishes(accept) {
        match what.as_str() {
            "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                openmetrics = openmetrics.max(quality);
            }
            "text/plain" if matches!(version, None | Some("0.0.4")) => text = text.max(quality),
            _ => {}
        }
    }
    if openmetrics > 0.0 && openmetrics >= text { Format::OpenMetrics } else { Format::Text }
}

/// Only if it is asked for by name.
pub(super) fn takes_gzip(accept_encoding: &str) -> bool {
    wishes(accept_encoding).any(|wish| wish.what == "gzip" && wish.quality > 0.0)
}

struct Wish<'a> {
    what: String,
    quality: f32,
    version: Option<&'a str>,
}

/// `what;version=1;q=0.5, what, ...`
fn wishes(header: &str) -> impl Iterator<Item = Wish<'_>> {
    header.split(',').map(|wish| {
        let mut parts = wish.split(';').map(str::trim);
        let what = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        Wish { what, quality, version }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_those_who_ask_for_it() {
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
    fn gzip_is_for_those_who_ask_for_it() {
        for (accept_encoding, takes) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("", false),
            ("*", false),
            ("gzip;q=0", false),
            ("x-gzip", false),
        ] {
            assert_eq!(takes_gzip(accept_encoding), takes, "{accept_encoding}");
        }
    }
}
