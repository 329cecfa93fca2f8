//! MySQL.

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::Application;

use crate::{
    config,
    model::{resumptions, start_at},
    observed::Observed,
    play::{Faults, Tape, play},
    script::{Script, pieces},
    wire::{mysql as wire, text::Text},
};

/// How a connection begins: a number of client packets, then SET from the driver.
#[derive(Clone, Debug)]
struct Login {
    packets: usize,
    sets: usize,
}

/// A step with a known number of exchanges.
#[derive(Clone, Debug)]
enum Step {
    Query {
        sql: Text,
        bytes: usize,
        cuts: Vec<usize>,
    },
    /// SET is set-up only before the first command.
    Set,
    Ping,
    ChangedUser,
    Prepared,
    /// Parameters that are sent before the statement and not answered.
    Executed {
        data_bytes: Vec<usize>,
        cuts: Vec<usize>,
    },
    /// An unanswered command, by itself or with the next command.
    Closed {
        together: bool,
    },
    /// LOAD DATA LOCAL: packets of these lengths, cut anywhere.
    Loaded {
        data: Text,
        bytes: usize,
        packet_bytes: usize,
        cuts: Vec<usize>,
    },
    /// Commands sent before the first answer. A hook sees at least one of them.
    Pipelined {
        commands: usize,
        seen: usize,
    },
}

fn logins() -> impl Strategy<Value = Login> {
    (1..4_usize, 0..3_usize).prop_map(|(packets, sets)| Login { packets, sets })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cuts = || prop_oneof![2 => Just(Vec::new()), 1 => vec(0..9000_usize, 1..4)];
    let bytes = || prop_oneof![3 => 1..200_usize, 1 => 1..9000_usize];
    let step = prop_oneof![
        4 => (Text::any(), bytes(), cuts()).prop_map(|(sql, bytes, cuts)| Step::Query { sql, bytes, cuts }),
        1 => Just(Step::Set),
        1 => Just(Step::Ping),
        1 => Just(Step::ChangedUser),
        1 => Just(Step::Prepared),
        2 => (vec(bytes(), 0..3), cuts()).prop_map(|(data_bytes, cuts)| Step::Executed { data_bytes, cuts }),
        2 => any::<bool>().prop_map(|together| Step::Closed { together }),
        2 => (Text::any(), 0..9000_usize, 30..4000_usize, vec(0..9000_usize, 0..5)).prop_map(
            |(data, bytes, packet_bytes, cuts)| Step::Loaded { data, bytes, packet_bytes, cuts }
        ),
        1 => (2..4_usize, any::<usize>()).prop_map(|(commands, seen)| Step::Pipelined { commands, seen }),
    ];
    vec(step, 1..8)
}

impl Script {
    fn log_in_to_mysql(&mut self, login: &Login) {
        self.answer(wire::greeting());
        self.send(wire::login(0));
        for packet in 1..login.packets {
            // Another authentication method, or more of this one.
            self.answer(wire::packet(2 * packet, b"\x01\x04"));
            self.send(wire::packet(2 * packet + 1, &[9; 256]));
        }
        self.answer(wire::ok(2 * login.packets));
        for _ in 0..login.sets {
            self.command(wire::QUERY, b"SET NAMES utf8mb4");
            self.answer(wire::ok(1));
        }
    }

    /// Sends packets, cut at these offsets.
    fn send_packets(&mut self, bytes: &[u8], cuts: &[usize]) {
        // Cut before it is recognisable.
        self.may_be_marked |= pieces(bytes, cuts)[0].len() < 9;
        self.send_in_pieces(bytes, cuts);
    }

    fn command(&mut self, kind: u8, body: &[u8]) {
        self.send(wire::command(kind, body));
    }

    fn ask_mysql(&mut self, step: &Step) {
        match step {
            Step::Query { sql, bytes, cuts } => {
                let sql = [b"SELECT '", sql.bytes(*bytes).as_slice(), b"'"].concat();
                self.send_packets(&wire::command(wire::QUERY, &sql), cuts);
                self.answered(wire::result(40));
            }
            Step::Set => {
                if self.exchanges == 0 {
                    self.command(wire::PING, b"");
                    self.answered(wire::ok(1));
                }
                self.command(wire::QUERY, b"SET autocommit = 0");
                self.answered(wire::ok(1));
            }
            Step::Ping => {
                self.command(wire::PING, b"");
                self.answered(wire::ok(1));
            }
            Step::ChangedUser => {
                self.command(wire::CHANGE_USER, b"you\0\x14saltsaltsaltsaltsalt\0");
                self.answered(wire::packet(1, b"\xfemysql_native_password\0saltsalt\0"));
                self.send(wire::packet(2, &[7; 20]));
                self.answer(wire::ok(3));
            }
            Step::Prepared => {
                self.command(wire::STMT_PREPARE, b"SELECT ?");
                self.answered(wire::packet(1, &[0; 12]));
            }
            Step::Executed { data_bytes, cuts } => {
                for bytes in data_bytes {
                    let data = [&[0; 6], Text::Binary.bytes(*bytes).as_slice()].concat();
                    self.send_packets(&wire::command(wire::STMT_SEND_LONG_DATA, &data), cuts);
                }
                self.command(wire::STMT_EXECUTE, &[0; 12]);
                self.answered(wire::result(400));
            }
            Step::Closed { together: false } => self.command(wire::STMT_CLOSE, &[1, 0, 0, 0]),
            Step::Closed { together: true } => {
                let close = wire::command(wire::STMT_CLOSE, &[1, 0, 0, 0]);
                self.send([close, wire::command(wire::PING, b"")].concat());
                self.answered(wire::ok(1));
            }
            Step::Loaded { data, bytes, packet_bytes, cuts } => {
                self.command(wire::QUERY, b"LOAD DATA LOCAL INFILE 'x' INTO TABLE t");
                self.answered(wire::packet(1, b"\xfbx"));
                let data = data.bytes(*bytes);
                let packets = data.chunks(*packet_bytes).chain([b"".as_slice()]).enumerate();
                let upload: Vec<u8> = packets.flat_map(|(number, part)| wire::packet(2 + number, part)).collect();
                self.send_packets(&upload, cuts);
                self.answer(wire::ok(9));
            }
            Step::Pipelined { commands, seen } => {
                self.may_be_marked = true;
                for command in 0..*commands {
                    let bytes = wire::command(wire::QUERY, b"SELECT 1");
                    if command == seen % commands { self.send_seen(bytes) } else { self.send(bytes) }
                }
                for _ in 0..*commands {
                    self.answered(wire::result(9));
                }
            }
        }
    }
}

fn script(login: Option<&Login>, steps: &[Step], quits: bool) -> Script {
    let mut script = Script::default();
    if let Some(login) = login {
        script.log_in_to_mysql(login);
    }
    for step in steps {
        script.ask_mysql(step);
    }
    if quits {
        script.command(wire::QUIT, b"");
    }
    script
}

/// Conversations that other files wrap.
pub(crate) fn conversations() -> impl Strategy<Value = Script> {
    (logins(), steps(), any::<bool>()).prop_map(|(login, steps, quits)| script(Some(&login), &steps, quits))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn mysql_is_exact_when_every_hook_runs(script in conversations(), tape in Tape::any()) {
        play(Observed::new(), &script, &tape, Faults::NONE).assert_exact(&script, Application::Mysql)?;
    }

    #[test]
    fn mysql_is_right_or_marked(script in conversations(), tape in Tape::any(), faults in Faults::any()) {
        play(Observed::new(), &script, &tape, faults).assert_honest(&script)?;
    }

    /// A pre-existing connection is recognised only by a command that fills its send, with its answer.
    #[test]
    fn pre_existing_mysql_is_right_or_marked(
        steps in steps(),
        at in resumptions(),
        tape in Tape::any(),
        faults in Faults::any(),
    ) {
        let script = script(None, &steps, true);
        play(start_at(at), &script, &tape, faults).assert_honest(&script)?;
    }
}

/// Recognition also requires the number in the answer.
#[test]
fn recognition_requires_a_matching_answer() {
    let mut script = Script::default();
    script.send(wire::command(wire::PING, b""));
    script.answered(wire::ok(2));
    let player = play(Observed::resumed(900, 900), &script, &Tape::blank(), Faults::NONE);
    assert!(player.observed.is_marked());
    assert_eq!(player.observed.application(), Application::Unknown);
}

/// Commands cannot be seen in compressed packets.
#[test]
fn compressed_mysql_is_marked() {
    let mut script = Script::default();
    script.answer(wire::greeting());
    script.send(wire::login(wire::COMPRESS));
    script.answer(wire::ok(2));
    let player = play(Observed::new(), &script, &Tape::blank(), Faults::NONE);
    assert!(player.observed.is_marked());
}

/// The login and the commands continue unseen inside TLS.
#[test]
fn mysql_inside_tls_is_marked() {
    let mut script = Script::default();
    script.answer(wire::greeting());
    script.send(wire::tls_request());
    script.send(crate::wire::tls::hello(&[], true));
    script.answer(vec![22; 900]);
    let player = play(Observed::new(), &script, &Tape::blank(), Faults::NONE);
    assert!(player.observed.is_marked());
}
