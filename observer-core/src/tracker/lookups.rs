//! Notices about look-ups of runtimes that come to nothing: one when the first hangs, one when the first is refused.

use super::Notice;
use crate::model::Lookups;

pub(super) fn notices(before: Option<Lookups>, now: Option<Lookups>) -> impl Iterator<Item = Notice> {
    let (before, now) = (before.unwrap_or_default(), now.unwrap_or_default());
    let hangs = (before.hung == 0 && now.hung > 0)
        .then_some("the executable of a process cannot be read, because its file system does not answer");
    let is_refused = (before.refused == 0 && now.refused > 0)
        .then_some("too many executables cannot be read: the runtimes of some processes are not looked up");
    hangs.into_iter().chain(is_refused).map(|message| Notice { kind: "runtimes", message: message.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_that_hangs_and_first_that_is_refused_are_news() {
        let count = |before, now| notices(before, now).count();
        let lookups = |hung, refused| Some(Lookups { hung, refused });
        assert_eq!([count(None, None), count(None, lookups(0, 0)), count(lookups(1, 0), lookups(2, 0))], [0; 3]);
        assert_eq!([count(None, lookups(1, 0)), count(lookups(1, 0), lookups(2, 1))], [1; 2]);
        assert_eq!([count(None, lookups(4, 1)), count(lookups(4, 1), lookups(4, 9))], [2, 0]);
    }
}
