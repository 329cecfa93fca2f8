//! The metrics for Prometheus: names, types and labels, which are a contract, and help texts, which are not.

mod text;

pub use text::Format;

use tcp_reuse_watch_ebpf::{HISTOGRAM, HISTOGRAM_STARTS, LIFETIME_BOUNDS_US};

use crate::{
    model::{CAUSES, Cause, FAILURES, Failure, Lookups, WHYS, WatchInfo, Why, cause_name, failure_name, why_name},
    series::{Counters, LabelSet, LocalPorts, Losses, Scrape, Values},
};
use text::{Kind, Labels, Text};

const AVOIDABLE: &str = "Connections that a pool that keeps its connections open would have avoided.";

pub fn encode(about: &WatchInfo, scrape: &Scrape, format: Format) -> String {
    let mut text = Text::new(format);
    groups(&mut text, scrape);
    time_wait(&mut text, scrape);
    local_ports(&mut text, scrape);
    host(&mut text, &scrape.host);
    watch(&mut text, about, scrape);
    text.finish()
}

fn groups(text: &mut Text, scrape: &Scrape) {
    let sets: Vec<_> = scrape.sets.iter().map(|(set, shown)| (labels(set.as_ref()), shown)).collect();
    let mut counters = |name, help, samples: fn(&Counters) -> Vec<(&'static str, String, u64)>| {
        text.family(name, Kind::Counter, help);
        for (labels, shown) in &sets {
            for (label, value, n) in samples(&shown.counters) {
                text.sample("_total", &labels.clone().with(label, value), n);
            }
        }
    };
    counters("tcp_reuse_exchanges", "Exchanges on new and on reused connections.", exchanges);
    counters("tcp_reuse_connections_opened", "Connections opened, by the reason why none was reused.", opened);
    counters("tcp_reuse_connections_closed", "Connections closed, by cause.", closed);
    counters("tcp_reuse_connections_failed", "Failed connects, by error.", failed);
    let mut counter = |name, help, count: fn(&Counters) -> u64| {
        text.family(name, Kind::Counter, help);
        for (labels, shown) in &sets {
            text.sample("_total", labels, count(&shown.counters));
        }
    };
    counter("tcp_reuse_connections_asked", "Connections that have asked at least once.", |counters| counters.asked);
    counter("tcp_reuse_connections_avoidable", AVOIDABLE, |counters| counters.avoidable);
    let help = "Avoidable connections that others may not have been able to replace.";
    counter("tcp_reuse_inexact_connections_avoidable", help, |counters| counters.inexact_avoidable);
    counter("tcp_reuse_inexact_exchanges", "Exchanges that cannot be counted exactly.", |counters| counters.inexact);
    text.family("tcp_reuse_connections_open", Kind::Gauge, "Open connections.");
    for (labels, shown) in &sets {
        text.sample("", labels, shown.open);
    }
    histograms(text, &sets);
}

/// Histograms of closed connections.
fn histograms(text: &mut Text, sets: &[(Labels, &Values)]) {
    // The upper bound of a bucket is one exchange less than the start of the next.
    let last = |n: usize| HISTOGRAM_STARTS[n + 1] as f64 - 1.0;
    let bounds: [f64; HISTOGRAM - 1] = std::array::from_fn(last);
    let help = "Exchanges per closed connection that carried any.";
    text.family("tcp_reuse_exchanges_per_connection", Kind::Histogram, help);
    for (labels, Values { counters, .. }) in sets {
        text.histogram(labels, &bounds, &counters.closed_exchanges, counters.closed_exchanges_sum);
    }
    let bounds = LIFETIME_BOUNDS_US.map(|bound_us| bound_us as f64 / 1e6);
    let help = "Lifetime of closed connections that were opened during the watch.";
    text.family("tcp_reuse_connection_lifetime_seconds", Kind::Histogram, help);
    for (labels, Values { counters, .. }) in sets {
        text.histogram(labels, &bounds, &counters.lifetimes, counters.lifetime_us_sum as f64 / 1e6);
    }
}

fn labels(set: Option<&LabelSet>) -> Labels {
    let labels = Labels::default();
    let Some(LabelSet { process, destination, port, cgroup }) = set else { return labels.with("overflow", true) };
    let labels = process.iter().fold(labels, |labels, process| labels.with("process", process));
    let labels = destination.iter().fold(labels, |labels, destination| labels.with("destination", destination));
    let labels = port.iter().fold(labels, |labels, port| labels.with("port", port));
    cgroup.iter().fold(labels, |labels, cgroup| labels.with("cgroup", cgroup))
}

fn exchanges(counters: &Counters) -> Vec<(&'static str, String, u64)> {
    vec![("connection", "new".into(), counters.new), ("connection", "reused".into(), counters.reused)]
}

fn opened(counters: &Counters) -> Vec<(&'static str, String, u64)> {
    let sample = |why: Why| ("why", why_name(why).into(), counters.why[why as usize]);
    // Only connections of an overflow group have no reason.
    WHYS.into_iter().filter(|why| *why != Why::Unknown || counters.why[*why as usize] > 0).map(sample).collect()
}

fn closed(counters: &Counters) -> Vec<(&'static str, String, u64)> {
    let sample = |cause: Cause| ("cause", cause_name(cause).into(), counters.closes[cause as usize]);
    let unknown = Some(sample(Cause::Unknown)).filter(|(_, _, n)| *n > 0);
    CAUSES.into_iter().map(sample).chain(unknown).collect()
}

/// Errors that never occurred have no series.
fn failed(counters: &Counters) -> Vec<(&'static str, String, u64)> {
    let named = FAILURES.map(|failure| ("error", failure_name(failure, 0), counters.failures[failure as usize]));
    let other = ("error", "other".into(), counters.failures[Failure::Other as usize]);
    named.into_iter().chain([other]).filter(|(_, _, n)| *n > 0).collect()
}

fn time_wait(text: &mut Text, scrape: &Scrape) {
    let Some(destinations) = &scrape.time_wait else { return };
    text.family("tcp_reuse_time_wait_sockets", Kind::Gauge, "Sockets in TIME_WAIT.");
    for (set, sockets) in destinations {
        text.sample("", &labels(set.as_ref()), sockets);
    }
}

fn local_ports(text: &mut Text, scrape: &Scrape) {
    let Some(LocalPorts { available, taken }) = &scrape.local_ports else { return };
    let help = "Local ports that connects choose from, for each source address and destination.";
    text.family("tcp_reuse_local_ports", Kind::Gauge, help);
    text.sample("", &Labels::default(), available);
    let help = "Local ports taken by sockets in any state, from the source address that has the most.";
    text.family("tcp_reuse_local_ports_taken", Kind::Gauge, help);
    for (set, taken) in taken {
        text.sample("", &labels(set.as_ref()), taken);
    }
}

fn host(text: &mut Text, host: &Counters) {
    text.family("tcp_reuse_host_exchanges", Kind::Counter, "Exchanges on the whole host.");
    for (label, value, n) in exchanges(host) {
        text.sample("_total", &Labels::default().with(label, value), n);
    }
    text.family("tcp_reuse_host_connections_opened", Kind::Counter, "Connections opened on the whole host.");
    text.sample("_total", &Labels::default(), host.opened);
    text.family("tcp_reuse_host_connections_avoidable", Kind::Counter, AVOIDABLE);
    text.sample("_total", &Labels::default(), host.avoidable);
}

fn watch(text: &mut Text, about: &WatchInfo, scrape: &Scrape) {
    let info = Labels::default()
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("hooks", about.hooks.join(","))
        .with("kernel", &about.kernel);
    text.family("tcp_reuse_watch", Kind::Info, "Version of tcp-reuse-watch, its hooks and the kernel.");
    text.sample("_info", &info, 1);
    if let Some(why) = about.why_without_sockops() {
        let help = "Hooks that the watch has to do without: 1, with the reason.";
        text.family("tcp_reuse_watch_hooks_missing", Kind::Gauge, help);
        text.sample("", &Labels::default().with("hook", "sockops").with("why", why), 1);
    }
    let help = "Label sets counted in the overflow series and seen within the expiry, at most 10,000.";
    text.family("tcp_reuse_watch_series_overflowed", Kind::Gauge, help);
    text.sample("", &Labels::default(), scrape.overflowed);
    lost(text, &scrape.losses);
    text.family(
        "tcp_reuse_watch_hook_skips",
        Kind::Counter,
        "Runs of a BPF program that the kernel skipped, at least.",
    );
    for program in &scrape.programs {
        text.sample("_total", &Labels::default().with("program", program.name), program.skips);
    }
    // The kernel measures runs only while that is enabled. What it has measured stays.
    if scrape.programs.iter().any(|program| program.runs > 0) {
        text.family("tcp_reuse_watch_program_seconds", Kind::Counter, "Time a BPF program has run.");
        for program in &scrape.programs {
            let seconds = program.run_ns as f64 / 1e9;
            text.sample("_total", &Labels::default().with("program", program.name), seconds);
        }
        text.family("tcp_reuse_watch_program_runs", Kind::Counter, "Runs of a BPF program.");
        for program in &scrape.programs {
            text.sample("_total", &Labels::default().with("program", program.name), program.runs);
        }
    }
}

fn lost(text: &mut Text, losses: &Losses) {
    let mut counters = |name, help, places: &[(&str, u64)]| {
        text.family(name, Kind::Counter, help);
        for (place, n) in places {
            text.sample("_total", &Labels::default().with("where", place), n);
        }
    };
    counters(
        "tcp_reuse_watch_events_lost",
        "Rows dropped by the ring buffer, standard output or the recording, which counts do not need; counts dropped by groups.",
        &[
            ("ring", losses.ring_rows()),
            ("output", losses.output_rows),
            ("recording", losses.recording_rows),
            ("groups", losses.sampled.counts),
        ],
    );
    counters(
        "tcp_reuse_watch_connections_untracked",
        "Connections not counted, because the map of connections was full or they use MPTCP.",
        &[("connections", losses.sampled.untracked), ("mptcp", losses.sampled.mptcp)],
    );
    if let Some(Lookups { hung, refused }) = losses.sampled.lookups {
        counters(
            "tcp_reuse_watch_runtime_lookups_lost",
            "Processes of unknown runtime, because reading an executable does not end or too many such look-ups hang.",
            &[("hung", hung), ("refused", refused)],
        );
    }
    counters(
        "tcp_reuse_watch_sockets_lost",
        "Sockets that found no room: in a listing by state, or in the list of those whose process is looked up.",
        &[("states", losses.sampled.unlisted), ("owners", losses.sampled.ownerless)],
    );
    let mut counter = |name, help, n: u64| {
        text.family(name, Kind::Counter, help);
        text.sample("_total", &Labels::default(), n);
    };
    let help = "Connections counted in overflow, because the map of groups was full.";
    counter("tcp_reuse_watch_connections_ungrouped", help, losses.sampled.ungrouped);
    let help = "Failed removals from a map. What is left there may take up room.";
    counter("tcp_reuse_watch_entries_not_removed", help, losses.sampled.not_removed);
    let help = "Skipped runs of BPF programs that no other program makes good, at least.";
    counter("tcp_reuse_watch_unrecovered_skips", help, losses.sampled.unrecovered_skips);
    let help = "Descendants of watched processes that are not watched, because the map of followed processes was full.";
    counter("tcp_reuse_watch_processes_unfollowed", help, losses.sampled.unfollowed);
}

#[cfg(test)]
mod tests;
