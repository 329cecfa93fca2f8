//! Redis.

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::Application;

use crate::{
    config,
    model::{resumptions, start_at},
    observed::Observed,
    play::{Faults, Tape, play},
    script::{Script, pieces},
    wire::{redis::command, text::Text},
};

/// How a driver introduces itself.
#[derive(Clone, Debug)]
struct SetUp {
    commands: Vec<Vec<u8>>,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Each answered before the next.
    InTurns,
    AtOnce,
    /// Separate sends before the first answer.
    Pipelined,
}

/// A step with a known number of exchanges.
#[derive(Clone, Debug)]
enum Step {
    Read,
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
    /// An unsolicited message to a subscriber.
    Published,
}

fn set_ups() -> impl Strategy<Value = SetUp> {
    let token = prop_oneof![4 => 1..60_usize, 1 => 1..1700_usize];
    let one = prop_oneof![
        Just(command(&[b"HELLO", b"3"])),
        token.clone().prop_map(|bytes| command(&[b"HELLO", b"3", b"AUTH", b"me", &vec![b'x'; bytes]])),
        token.prop_map(|bytes| command(&[b"auth", &vec![b'x'; bytes]])),
        Just(command(&[b"CLIENT", b"SETINFO", b"LIB-NAME", b"redis-py"])),
        Just(command(&[b"client", b"setname", b"web"])),
        Just(command(&[b"SELECT", b"10"])),
    ];
    let manner = prop::sample::select(&[Manner::InTurns, Manner::AtOnce, Manner::Pipelined][..]);
    (vec(one, 0..5), manner).prop_map(|(commands, manner)| SetUp { commands, manner })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = prop_oneof![3 => 0..200_usize, 1 => 0..9000_usize];
    let cuts = prop_oneof![1 => Just(Vec::new()), 1 => vec(0..9000_usize, 1..4)];
    let step = prop_oneof![
        4 => Just(Step::Read),
        4 => (Text::any(), bytes, cuts).prop_map(|(value, bytes, cuts)| Step::Write { value, bytes, cuts }),
        2 => (2..20_usize).prop_map(Step::Batch),
        1 => (2..5_usize, any::<usize>()).prop_map(|(commands, seen)| Step::Pipelined { commands, seen }),
        1 => Just(Step::Published),
    ];
    vec(step, 1..8)
}

impl Script {
    fn introduce(&mut self, SetUp { commands, manner }: &SetUp) {
        // Past the 2 KB of a send that are inspected, or past many commands, anything may follow.
        let bytes: usize = commands.iter().map(Vec::len).sum();
        self.may_be_marked |= *manner == Manner::AtOnce && bytes > 2048;
        match manner {
            Manner::InTurns => {
                for command in commands {
                    self.send(command.as_slice());
                    self.answer("+OK\r\n");
                }
            }
            Manner::AtOnce if !commands.is_empty() => {
                self.send(commands.concat());
                self.answer("+OK\r\n".repeat(commands.len()));
            }
            Manner::Pipelined if !commands.is_empty() => {
                for command in commands {
                    self.send(command.as_slice());
                }
                self.answer("+OK\r\n".repeat(commands.len()));
            }
            _ => {}
        }
    }

    fn ask_redis(&mut self, step: &Step) {
        match step {
            Step::Read => {
                self.send(command(&[b"GET", b"page"]));
                self.answered("$5\r\nhello\r\n");
            }
            Step::Write { value, bytes, cuts } => {
                let bytes = command(&[b"SET", b"page", &value.bytes(*bytes)]);
                let pieces = pieces(&bytes, cuts);
                // A value that looks like commands, or the connection's first command, cut before it is recognisable.
                self.may_be_marked |= pieces[1..].iter().any(|piece| piece.starts_with(b"*"));
                self.may_be_marked |= pieces[0].len() < 16;
                self.send_in_pieces(&bytes, cuts);
                self.answered("+OK\r\n");
            }
            Step::Batch(commands) => {
                self.send(command(&[b"INCR", b"hits"]).repeat(*commands));
                self.answered(":1\r\n".repeat(*commands));
            }
            Step::Pipelined { commands, seen } => {
                self.may_be_marked = true;
                for number in 0..*commands {
                    let bytes = command(&[b"INCR", b"hits"]);
                    if number == seen % commands { self.send_seen(bytes) } else { self.send(bytes) }
                }
                for _ in 0..*commands {
                    self.answered(":1\r\n");
                }
            }
            Step::Published => self.answer(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n"),
        }
    }
}

fn script(set_up: Option<&SetUp>, steps: &[Step]) -> Script {
    let mut script = Script::default();
    if let Some(set_up) = set_up {
        script.introduce(set_up);
    }
    for step in steps {
        script.ask_redis(step);
    }
    script
}

/// Conversations that other files wrap.
pub(crate) fn conversations() -> impl Strategy<Value = Script> {
    (set_ups(), steps()).prop_map(|(set_up, steps)| script(Some(&set_up), &steps))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn redis_is_exact_when_every_hook_runs(script in conversations(), tape in Tape::any()) {
        play(Observed::new(), &script, &tape, Faults::NONE).assert_exact(&script, Application::Redis)?;
    }

    #[test]
    fn redis_is_right_or_marked(script in conversations(), tape in Tape::any(), faults in Faults::any()) {
        play(Observed::new(), &script, &tape, faults).assert_honest(&script)?;
    }

    #[test]
    fn pre_existing_redis_is_exact(steps in steps(), at in resumptions(), tape in Tape::any()) {
        let script = script(None, &steps);
        play(start_at(at), &script, &tape, Faults::NONE).assert_exact(&script, Application::Redis)?;
    }

    #[test]
    fn pre_existing_redis_is_right_or_marked(
        steps in steps(),
        at in resumptions(),
        tape in Tape::any(),
        faults in Faults::any(),
    ) {
        let script = script(None, &steps);
        play(start_at(at), &script, &tape, faults).assert_honest(&script)?;
    }
}

/// A login that is cut may have a command after it.
#[test]
fn login_in_pieces_is_marked() {
    for bytes in [100, 1500, 3000] {
        let mut script = Script::default();
        script.send_in_pieces(&command(&[b"AUTH", &vec![b'x'; bytes]]), &[90]);
        script.answer("+OK\r\n");
        let player = play(Observed::new(), &script, &Tape::blank(), Faults::NONE);
        player.assert_honest(&script).unwrap();
    }
}

/// A login longer than the inspected part is marked, unless it is recognised.
#[test]
fn long_login_is_no_exchange() {
    for bytes in [9, 99, 999, 1000, 1500, 3000, 12_000] {
        let mut script = Script::default();
        script.send(command(&[b"AUTH", b"me", &vec![b'x'; bytes]]));
        script.answer("+OK\r\n");
        let player = play(Observed::new(), &script, &Tape::blank(), Faults::NONE);
        player.assert_honest(&script).unwrap();
        assert!(bytes > 2000 || player.observed.exact, "{bytes}");
    }
}
