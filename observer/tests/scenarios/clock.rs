//! The machine's clock is set while connections are open. Only a machine of our own may be treated like this.

use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use crate::{
    expected::Differences,
    hook_set::HookSet,
    machine::Machine,
    messages::{ask, serve},
    peer::Peer,
    scenario::SoloScenario,
    watch::Watch,
};

/// Set by `cargo xtask vm`.
const OWN_MACHINE: &str = "TCP_REUSE_WATCH_OWN_MACHINE";

/// Empty elsewhere.
pub(crate) fn all() -> &'static [SoloScenario] {
    const ALL: &[SoloScenario] = &[SoloScenario { name: "clock set back and forth", run: set_back_and_forth }];
    if env::var_os(OWN_MACHINE).is_some() { ALL } else { &[] }
}

/// An hour back, a day and an hour forth, and a day back: where it would have been.
const SHIFTS_S: [i64; 3] = [-3_600, 86_400 + 3_600, -86_400];

/// Longer than the time between two samples.
const PAUSE: Duration = Duration::from_millis(1_200);

fn set_back_and_forth(_: &Machine, hooks: &HookSet) -> Result<Vec<String>> {
    let began = Instant::now();
    let watch = Watch::start(&hooks.name, &[])?;
    let peer = Peer::new(serve)?;
    let mut kept = peer.connect()?;
    ask(&mut kept, 100)?;
    for shift_s in SHIFTS_S {
        shift(shift_s)?;
        ask(&mut kept, 100)?;
        ask(&mut peer.connect()?, 100)?;
        sleep(PAUSE);
    }
    drop(kept);
    let connections = 1 + SHIFTS_S.len() as u64;
    let truth = peer.truth(connections)?;
    let report = watch.end()?;
    let most_us = began.elapsed().as_micros() as u64;

    let mut all = Differences::default();
    all.count("connections that the peer accepted", connections, truth.connections);
    for (name, expected) in [("opened", connections), ("closed", connections), ("exchanges", truth.exchanges)] {
        all.count(name, expected, report.count(truth.port, name));
    }
    all.check(report.summary["duration_us"].as_u64() <= Some(most_us), || {
        format!("duration_us expected at most {most_us} got {}", report.summary["duration_us"])
    });
    for close in report.rows("close", truth.port) {
        let open = report.rows("open", truth.port).find(|open| open["id"] == close["id"]);
        let opened = open.and_then(|open| open["time"].as_str()).context("a connection has no row of its opening")?;
        all.check(Some(opened) < close["time"].as_str(), || format!("opened at {opened}, but {close}"));
        all.check(close["lifetime_us"].as_u64() <= Some(most_us), || format!("longer than all of it: {close}"));
    }
    Ok(all.0)
}

fn shift(seconds: i64) -> Result<()> {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Realtime);
    let then = Timespec { tv_sec: tv_sec + seconds, tv_nsec };
    clock_settime(ClockId::Realtime, then).context("cannot set the clock")
}
