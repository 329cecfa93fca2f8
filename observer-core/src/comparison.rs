//! Two watches side by side: what `tcp-reuse-watch compare` shows.
//!
//! Both sides are JSON summaries, because a recording becomes one by being replayed. Groups are matched by process name and
//! destination, not by process, because the two watches saw different processes. Numbers that a side does not have stay
//! unknown; they never become 0.

mod limits;
mod mapping;
mod numbers;
mod summary;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv6Addr},
};

pub use limits::{Doubt, Judgement, Limit, Limits};
pub use mapping::{Mapping, MappingError};
pub use numbers::{Numbers, Reuse};
use summary::SummaryGroup;
pub use summary::{Losses, Summary};

/// A file to compare.
#[derive(Clone, Debug)]
pub struct Side {
    /// The name of the file, as the user gave it.
    pub file: String,
    pub kind: FileKind,
    /// Why a recording could not be read to its end. None if it could.
    pub cut: Option<String>,
    pub summary: Summary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Recording,
    Summary,
}

impl Side {
    /// Whether the counts are those of the whole watch: nothing was lost, and the file is not cut.
    pub fn is_whole(&self) -> bool {
        self.cut.is_none() && self.summary.are_counts_complete()
    }
}

/// A process and a destination, by which groups are matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId {
    /// None: unknown.
    pub process: Option<String>,
    /// The name or the address of the destination.
    pub host: String,
    pub port: Option<u16>,
}

impl GroupId {
    /// The destination, like `10.0.0.1:80`, `[::1]:80` or `example.org:80`. Not escaped for terminals.
    pub fn remote(&self) -> Remote<'_> {
        Remote(self)
    }
}

pub struct Remote<'a>(&'a GroupId);

impl fmt::Display for Remote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GroupId { host, port, .. } = self.0;
        match (host.parse::<Ipv6Addr>(), port) {
            (_, None) => f.write_str(host),
            (Ok(address), Some(port)) => write!(f, "[{address}]:{port}"),
            (Err(_), Some(port)) => write!(f, "{host}:{port}"),
        }
    }
}

/// A group on both sides. None: it is not on that side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pair {
    pub before: Option<Numbers>,
    pub after: Option<Numbers>,
}

impl Pair {
    pub fn has_changed(&self) -> bool {
        self.before != self.after
    }

    /// The growth of a number. A side without the group has none of it; None if a side does not know.
    fn growth(&self, number: impl Fn(&Numbers) -> Option<u64>) -> Option<i64> {
        let of = |side: &Option<Numbers>| side.as_ref().map_or(Some(0), &number);
        Some(count(of(&self.after)?) - count(of(&self.before)?))
    }

    /// None if the group's ratio is undefined or unknown on a side.
    fn ratio_growth(&self) -> Option<f64> {
        let ratio = |side: &Option<Numbers>| side.as_ref().and_then(|numbers| numbers.reuse().ratio());
        Some(ratio(&self.after)? - ratio(&self.before)?)
    }

    /// What has changed most sorts first.
    fn order(&self) -> impl Ord + use<> {
        const PARTS: f64 = 1e9;
        let avoidable = self.growth(|numbers| numbers.avoidable).unwrap_or(0).unsigned_abs();
        let ratio = (self.ratio_growth().unwrap_or(0.0).abs() * PARTS).round() as i64;
        let exchanges = self.growth(Numbers::exchanges).unwrap_or(0).unsigned_abs();
        Reverse((avoidable, ratio, exchanges, self.has_changed()))
    }
}

#[derive(Debug)]
pub struct Comparison {
    pub before: Side,
    pub after: Side,
    pub mappings: Vec<Mapping>,
    /// Those whose new value AFTER does not have.
    pub mappings_to_nothing: Vec<Mapping>,
    /// None is all groups without a process and a destination. Those that have changed most come first.
    pub groups: Vec<(Option<GroupId>, Pair)>,
    pub totals: Pair,
}

impl Comparison {
    /// Fails if the old value of a mapping is not in BEFORE.
    pub fn new(before: Side, after: Side, mappings: Vec<Mapping>) -> Result<Self, MappingError> {
        let (old_groups, new_groups) = (&before.summary.groups, &after.summary.groups);
        let have_names = [old_groups, new_groups].map(|groups| groups.iter().any(|group| group.name.is_some()));
        let use_names = have_names == [true, true];
        let mapper = mapping::Mapper::new(&mappings, old_groups)?;
        let olds = fold(old_groups, |group| mapper.map(group, use_names));
        let news = fold(new_groups, |group| mapper.new_id(group, use_names));
        let mappings_to_nothing = mappings.iter().filter(|mapping| !mapper.leads_to(mapping, &news)).cloned().collect();

        let ids: BTreeSet<Option<GroupId>> = olds.keys().chain(news.keys()).cloned().collect();
        let mut groups: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let pair = Pair { before: olds.get(&id).cloned(), after: news.get(&id).cloned() };
                (id, pair)
            })
            .collect();
        groups.sort_by_cached_key(|(id, pair)| (id.is_none(), pair.order(), id.clone()));
        let totals = Pair { before: Some(total(&olds)), after: Some(total(&news)) };
        Ok(Self { before, after, mappings, mappings_to_nothing, groups, totals })
    }

    pub fn has_differences(&self) -> bool {
        self.groups.iter().any(|(_, pair)| pair.has_changed())
    }

    /// The groups that are only on one side.
    pub fn only_before(&self) -> impl Iterator<Item = &(Option<GroupId>, Pair)> {
        self.groups.iter().filter(|(_, pair)| pair.after.is_none())
    }

    pub fn only_after(&self) -> impl Iterator<Item = &(Option<GroupId>, Pair)> {
        self.groups.iter().filter(|(_, pair)| pair.before.is_none())
    }

    /// The totals of one side each.
    pub fn both_totals(&self) -> [&Numbers; 2] {
        const NONE: &Numbers = &Numbers::NONE;
        [&self.totals.before, &self.totals.after].map(|side| side.as_ref().unwrap_or(NONE))
    }
}

/// Adds up the groups of one process name and destination.
fn fold(groups: &[SummaryGroup], id: impl Fn(&SummaryGroup) -> Option<GroupId>) -> BTreeMap<Option<GroupId>, Numbers> {
    let mut folded: BTreeMap<Option<GroupId>, Numbers> = BTreeMap::new();
    for group in groups {
        let numbers = Numbers::from(group);
        folded.entry(id(group)).and_modify(|sum| sum.add(&numbers)).or_insert(numbers);
    }
    folded
}

fn total(groups: &BTreeMap<Option<GroupId>, Numbers>) -> Numbers {
    let mut groups = groups.values();
    let Some(first) = groups.next() else { return Numbers::NONE };
    let mut total = first.clone();
    groups.for_each(|group| total.add(group));
    total
}

/// A count as a number that can be subtracted.
fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The host of a destination as it is compared: an address in its usual notation, or a name in lower case.
fn canonical_host(host: &str) -> String {
    host.parse::<IpAddr>().map_or_else(|_| host.to_lowercase(), |address| address.to_canonical().to_string())
}

#[cfg(test)]
mod tests;
