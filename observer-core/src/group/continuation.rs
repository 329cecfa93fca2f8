//! The counters of a group that the kernel has dropped for lack of room, and that has come back: they continue where
//! the earlier ones ended.

use tcp_reuse_watch_ebpf::{SEVERAL_APPLICATIONS, pool};

use crate::model::{Application, GroupCounters};

/// Counters before the group left the kernel, continued by those since it came back. No connection was tracked in
/// between, so gauges add up and the highest of two peaks is the peak of both.
#[must_use]
pub fn continued(before: &GroupCounters, since: &GroupCounters) -> GroupCounters {
    // Names every field, so a new one cannot be forgotten.
    let GroupCounters {
        comm,
        tracked,
        opened,
        pre_existing,
        closed,
        unused,
        new,
        reused,
        inexact,
        marked,
        failures,
        exchanges_per_connection,
        why,
        closes,
        live,
        idle,
        last_cause,
        closed_exchanges,
        closed_exchanges_sum,
        lifetimes,
        lifetime_us_sum,
        cgroup,
        application,
        asked,
        serving,
        most_serving,
        target,
        pool: pool_bits,
        user,
    } = *since;
    GroupCounters {
        comm: if before.comm == [0; 16] { comm } else { before.comm },
        tracked: before.tracked + tracked,
        opened: before.opened + opened,
        pre_existing: before.pre_existing + pre_existing,
        closed: before.closed + closed,
        unused: before.unused + unused,
        new: before.new + new,
        reused: before.reused + reused,
        inexact: before.inexact + inexact,
        marked: before.marked + marked,
        failures: sum(before.failures, failures),
        exchanges_per_connection: sum(before.exchanges_per_connection, exchanges_per_connection),
        why: sum(before.why, why),
        closes: sum(before.closes, closes),
        live: before.live + live,
        idle: before.idle + idle,
        last_cause: if closed > 0 { last_cause } else { before.last_cause },
        closed_exchanges: sum(before.closed_exchanges, closed_exchanges),
        closed_exchanges_sum: before.closed_exchanges_sum + closed_exchanges_sum,
        lifetimes: sum(before.lifetimes, lifetimes),
        lifetime_us_sum: before.lifetime_us_sum + lifetime_us_sum,
        cgroup: if before.cgroup == 0 { cgroup } else { before.cgroup },
        application: match (before.application, application) {
            (one, other) if one == other || other == Application::Unknown as u64 => one,
            (one, other) if one == Application::Unknown as u64 => other,
            _ => SEVERAL_APPLICATIONS,
        },
        asked: before.asked + asked,
        serving: before.serving + serving,
        most_serving: std::array::from_fn(|mark| before.most_serving[mark].max(most_serving[mark])),
        target: if before.target == 0 { target } else { before.target },
        pool: before.pool | pool_bits | if has_two_targets(before.target, target) { pool::MIXED } else { 0 },
        user: if before.user == 0 { user } else { before.user },
    }
}

/// A target of 0 is not known yet.
fn has_two_targets(before: u64, since: u64) -> bool {
    before != 0 && since != 0 && before != since
}

fn sum<const N: usize>(before: [u64; N], since: [u64; N]) -> [u64; N] {
    std::array::from_fn(|index| before[index] + since[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(opened: u64, needed: u32, application: u64, target: u64) -> GroupCounters {
        let mut counters = GroupCounters {
            opened,
            closed: opened,
            asked: opened,
            application,
            target,
            pool: pool::COUNTED,
            ..GroupCounters::default()
        };
        counters.most_serving[0] = needed;
        counters
    }

    #[test]
    fn counts_add_up_and_the_peak_is_the_higher_one() {
        let both = continued(&counters(3, 2, 1, 7), &counters(4, 1, 0, 7));
        assert_eq!((both.opened, both.closed, both.asked, both.needed()), (7, 7, 7, 2));
        assert_eq!((both.application, both.target, both.pool), (1, 7, pool::COUNTED));
    }

    #[test]
    fn other_application_or_target_is_noticed() {
        let both = continued(&counters(1, 1, 1, 7), &counters(1, 1, 2, 8));
        assert_eq!((both.application, both.pool), (SEVERAL_APPLICATIONS, pool::COUNTED | pool::MIXED));
        let unknown = continued(&counters(1, 1, 0, 0), &counters(1, 1, 2, 8));
        assert_eq!((unknown.application, unknown.target, unknown.pool), (2, 8, pool::COUNTED));
    }
}
