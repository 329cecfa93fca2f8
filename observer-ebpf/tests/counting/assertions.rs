//! Assertions: a count must be what it claims to be.

use proptest::{prelude::*, test_runner::TestCaseError};
use tcp_reuse_watch_ebpf::Application;

use crate::{
    play::{Player, Torn},
    script::Script,
};

type Judgement = Result<(), TestCaseError>;

impl Player {
    /// The count is right, or it is marked.
    pub(crate) fn assert_honest(&self, script: &Script) -> Judgement {
        let observed = &self.observed;
        if observed.exact {
            prop_assert_eq!(observed.exchanges, script.exchanges, "unmarked: {:#?}", observed.log);
            prop_assert!(observed.has_asked || script.exchanges == 0, "has not asked: {:#?}", observed.log);
        }
        Ok(())
    }

    /// The count is right and unmarked: every hook has run, and nothing in the conversation is ambiguous.
    pub(crate) fn assert_exact(&self, script: &Script, application: Application) -> Judgement {
        self.assert_honest(script)?;
        let observed = &self.observed;
        let may_be_marked = script.may_be_marked
            || script.is_told_by_answer && self.torn == Torn::Scraps
            || script.is_told_by_statuses && self.torn >= Torn::Pieces;
        prop_assert!(observed.exact || may_be_marked, "marked: {:#?}", observed.log);
        if observed.exact && observed.exchanges > 0 {
            prop_assert_eq!(observed.application(), script.becomes.unwrap_or(application), "{:#?}", observed.log);
        }
        Ok(())
    }
}
