//! memcached.

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::Application;

use crate::{
    config,
    model::{start_at, starts},
    observed::Observed,
    play::{Faults, Tape, play},
    script::{Script, pieces},
    wire::text::Text,
};

/// A step with a known number of exchanges.
#[derive(Clone, Debug)]
enum Step {
    Read(&'static str, &'static str),
    /// A value, in one send or several.
    Write {
        value: Text,
        bytes: usize,
        cuts: Vec<usize>,
    },
    /// Several commands in one send are one exchange, because they take one round trip.
    Batch(usize),
    /// Separate sends before the first answer. A hook sees at least one of them.
    Pipelined {
        commands: usize,
        seen: usize,
    },
    /// An unanswered command.
    Unanswered,
    /// The binary protocol.
    Binary(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let read = prop::sample::select(
        &[
            ("get page\r\n", "END\r\n"),
            ("gets page other\r\n", "VALUE page 0 5\r\nhello\r\nEND\r\n"),
            ("delete page\r\n", "NOT_FOUND\r\n"),
            ("touch page 9\r\n", "TOUCHED\r\n"),
            ("version\r\n", "VERSION 1.6.18\r\n"),
            ("incr hits 1\r\n", "NOT_FOUND\r\n"),
            ("mg page v\r\n", "EN\r\n"),
        ][..],
    );
    let bytes = prop_oneof![3 => 0..200_usize, 1 => 0..9000_usize];
    let cuts = prop_oneof![1 => Just(Vec::new()), 1 => vec(0..9000_usize, 1..4)];
    let step = prop_oneof![
        4 => read.prop_map(|(command, answer)| Step::Read(command, answer)),
        4 => (Text::any(), bytes, cuts).prop_map(|(value, bytes, cuts)| Step::Write { value, bytes, cuts }),
        1 => (2..20_usize).prop_map(Step::Batch),
        1 => (2..5_usize, any::<usize>()).prop_map(|(commands, seen)| Step::Pipelined { commands, seen }),
        1 => Just(Step::Unanswered),
        1 => (0..30_u8).prop_map(Step::Binary),
    ];
    vec(step, 1..8)
}

impl Script {
    fn ask_memcached(&mut self, step: &Step) {
        match step {
            Step::Read(command, answer) => {
                self.send(*command);
                self.answered(*answer);
            }
            Step::Write { value, bytes, cuts } => {
                let value = value.bytes(*bytes);
                let head = format!("set page 0 0 {}\r\n", value.len()).into_bytes();
                let whole = [head.as_slice(), &value, b"\r\n"].concat();
                // The connection's first command, cut before it is recognisable.
                self.may_be_marked |= pieces(&whole, cuts)[0].len() < 4;
                self.send_in_pieces(&whole, cuts);
                self.answered("STORED\r\n");
            }
            Step::Batch(commands) => {
                self.send("get page\r\n".repeat(*commands));
                self.answered("END\r\n".repeat(*commands));
            }
            Step::Pipelined { commands, seen } => {
                self.may_be_marked = true;
                for number in 0..*commands {
                    if number == seen % commands { self.send_seen("get page\r\n") } else { self.send("get page\r\n") }
                }
                for _ in 0..*commands {
                    self.answered("END\r\n");
                }
            }
            Step::Unanswered => {
                self.send("set page 0 0 5 noreply\r\nhello\r\n");
                // The next answer looks pipelined.
                self.may_be_marked = true;
            }
            Step::Binary(operation) => {
                let message =
                    |magic: u8| [&[magic, *operation, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4][..], &[0; 12], b"page"].concat();
                self.send(message(0x80));
                self.answered(message(0x81));
            }
        }
    }
}

/// Conversations that other files wrap.
pub(crate) fn conversations() -> impl Strategy<Value = Script> {
    steps().prop_map(|steps| {
        let mut script = Script { is_told_by_answer: true, ..Script::default() };
        for step in &steps {
            script.ask_memcached(step);
        }
        script
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn memcached_is_exact_when_every_hook_runs(script in conversations(), tape in Tape::any(), at in starts()) {
        play(start_at(at), &script, &tape, Faults::NONE).assert_exact(&script, Application::Memcached)?;
    }

    #[test]
    fn memcached_is_right_or_marked(
        script in conversations(),
        tape in Tape::any(),
        at in starts(),
        faults in Faults::any(),
    ) {
        play(start_at(at), &script, &tape, faults).assert_honest(&script)?;
    }
}

/// Only the answer identifies the protocol.
#[test]
fn recognition_requires_a_matching_answer() {
    let mut script = Script::default();
    script.send("get page\r\n");
    script.answered("what?\r\n");
    let player = play(Observed::new(), &script, &Tape::blank(), Faults::NONE);
    assert!(player.observed.is_marked());
    assert_eq!(player.observed.application(), Application::Unknown);
}
