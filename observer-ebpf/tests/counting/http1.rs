//! HTTP/1 in the clear.

mod endings;
mod steps;

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::Application;

use crate::{
    config,
    model::{start_at, starts},
    observed::Observed,
    play::{Faults, Tape, play},
    script::Script,
    wire::{
        http1::{Answer, Request},
        text::Text,
    },
};
use endings::Ending;
use steps::Step;

fn script(steps: &[Step], ending: &Ending) -> Script {
    let mut script = Script::default();
    for step in steps {
        script.step(step);
    }
    script.end(ending);
    script
}

/// HTTP/1 conversations, which other files wrap.
pub(crate) fn conversations() -> impl Strategy<Value = Script> {
    (vec(Step::any(), 1..6), Ending::any()).prop_map(|(steps, ending)| script(&steps, &ending))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn http1_is_exact_when_every_hook_runs(
        steps in vec(Step::any(), 1..6),
        ending in Ending::any(),
        tape in Tape::any(),
        at in starts(),
    ) {
        let script = script(&steps, &ending);
        play(start_at(at), &script, &tape, Faults::NONE).assert_exact(&script, Application::Http1)?;
    }

    #[test]
    fn answer_like_bodies_change_nothing(
        requests in vec(Request::any(), 1..4),
        body_bytes in 0..400_usize,
        tape in Tape::any(),
    ) {
        let answer = Answer { status: 200, body: Text::Answers, body_bytes };
        let steps: Vec<Step> = requests.into_iter().map(|request| Step::Offering(request, answer.clone())).collect();
        let script = script(&steps, &Ending::Quiet);
        play(Observed::new(), &script, &tape, Faults::NONE).assert_exact(&script, Application::Http1)?;
    }

    #[test]
    fn http1_is_right_or_marked(
        steps in vec(Step::any(), 1..6),
        ending in Ending::any(),
        tape in Tape::any(),
        at in starts(),
        faults in Faults::any(),
    ) {
        let script = script(&steps, &ending);
        // A client's own buffer is in memory. The unreadable parts of its sends are files, which the steps contain.
        let faults = Faults { hide_sends: false, ..faults };
        play(start_at(at), &script, &tape, faults).assert_honest(&script)?;
    }
}
