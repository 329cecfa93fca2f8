//! PostgreSQL.

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::Application;

use crate::{
    config,
    model::{resumptions, start_at},
    observed::Observed,
    play::{Faults, Tape, play},
    script::Script,
    wire::{postgresql as wire, text::Text},
};

/// Set-up before the first query.
#[derive(Clone, Debug)]
struct Login {
    /// Encryption is requested and refused: GSS, TLS.
    asks_gss: bool,
    asks_tls: bool,
    /// Number of password messages.
    passwords: usize,
    /// SET from the driver, as a query or parsed and executed.
    sets: Vec<bool>,
}

/// A step with a known number of exchanges.
#[derive(Clone, Debug)]
enum Step {
    Query {
        sql: Text,
        bytes: usize,
        cuts: Vec<usize>,
    },
    /// SET is set-up only before the first query.
    Set,
    /// A statement, parsed and executed repeatedly, in one send or in several.
    Extended {
        sql_bytes: usize,
        value_bytes: usize,
        executions: usize,
        cuts: Vec<usize>,
    },
    /// A statement, parsed and not executed yet, with Sync or with Flush.
    Prepared {
        sql_bytes: usize,
        syncs: bool,
        cuts: Vec<usize>,
    },
    Closed,
    /// COPY FROM STDIN: data in messages of these lengths, cut anywhere, with a notice in between.
    Copied {
        data: Text,
        bytes: usize,
        message_bytes: usize,
        cuts: Vec<usize>,
        is_noticed: bool,
    },
    /// An unsolicited notification.
    Notified,
    /// Batches sent before the first answer. A hook sees at least one of them.
    Pipelined {
        batches: usize,
        seen: usize,
    },
}

fn logins() -> impl Strategy<Value = Login> {
    (any::<bool>(), any::<bool>(), 0..4_usize, vec(any::<bool>(), 0..3))
        .prop_map(|(asks_gss, asks_tls, passwords, sets)| Login { asks_gss, asks_tls, passwords, sets })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cuts = || prop_oneof![2 => Just(Vec::new()), 1 => vec(0..9000_usize, 1..4)];
    let sql_bytes = || prop_oneof![3 => 1..200_usize, 1 => 1..9000_usize];
    let step = prop_oneof![
        4 => (Text::any(), sql_bytes(), cuts()).prop_map(|(sql, bytes, cuts)| Step::Query { sql, bytes, cuts }),
        1 => Just(Step::Set),
        4 => (sql_bytes(), sql_bytes(), 1..9_usize, cuts()).prop_map(
            |(sql_bytes, value_bytes, executions, cuts)| Step::Extended { sql_bytes, value_bytes, executions, cuts }
        ),
        2 => (sql_bytes(), any::<bool>(), cuts())
            .prop_map(|(sql_bytes, syncs, cuts)| Step::Prepared { sql_bytes, syncs, cuts }),
        1 => Just(Step::Closed),
        2 => (Text::any(), 1..5000_usize, 1..400_usize, vec(0..9000_usize, 0..5), any::<bool>()).prop_map(
            |(data, bytes, message_bytes, cuts, is_noticed)| Step::Copied { data, bytes, message_bytes, cuts, is_noticed }
        ),
        1 => Just(Step::Notified),
        1 => (2..4_usize, any::<usize>()).prop_map(|(batches, seen)| Step::Pipelined { batches, seen }),
    ];
    vec(step, 1..8)
}

impl Script {
    /// Sends messages, cut at these offsets.
    fn send_messages(&mut self, messages: &[Vec<u8>], cuts: &[usize]) {
        let bytes = messages.concat();
        // After an upload it may be more of the upload.
        self.may_be_marked |= self.has_uploaded && !cuts.is_empty();
        self.has_uploaded = false;
        // More messages than the kernel side inspects.
        self.may_be_marked |= messages.len() > 12 && !cuts.is_empty();
        let mut begin = 0;
        for message in messages {
            // If a message's length is cut, its end is unknown.
            let head = begin + 1..begin + 5;
            self.may_be_marked |= cuts.iter().any(|cut| head.contains(&(cut % (bytes.len() + 1))));
            begin += message.len();
        }
        self.send_in_pieces(&bytes, cuts);
    }

    fn log_in(&mut self, login: &Login) {
        if login.asks_gss {
            self.send(wire::gss_request());
            self.answer("N");
        }
        if login.asks_tls {
            self.send(wire::ssl_request());
            self.answer("N");
        }
        self.send(wire::startup());
        for _ in 0..login.passwords {
            self.answer(wire::authentication(10));
            self.send(wire::message(b'p', b"SCRAM-SHA-256\0n,,n=,r=abc"));
        }
        self.answer([wire::authentication(0), wire::ready()].concat());
        for is_parsed in &login.sets {
            let sql = b"SET extra_float_digits = 3";
            if *is_parsed {
                self.send([wire::parse(b"", sql), wire::bind(b"", b""), wire::execute(), wire::sync()].concat());
            } else {
                self.send(wire::query(sql));
            }
            self.answer(wire::result(0));
        }
    }

    fn say(&mut self, step: &Step) {
        match step {
            Step::Query { sql, bytes, cuts } => {
                let sql = [b"SELECT '", sql.bytes(*bytes).as_slice(), b"'"].concat();
                self.send_messages(&[wire::query(&sql)], cuts);
                self.exchange();
                self.answer(wire::result(40));
            }
            Step::Set => {
                if self.exchanges == 0 {
                    self.send(wire::query(b"BEGIN"));
                    self.answered(wire::ready());
                }
                self.send(wire::query(b"SET search_path = shop"));
                self.answered(wire::ready());
            }
            Step::Extended { sql_bytes, value_bytes, executions, cuts } => {
                let sql = Text::Sql.bytes(*sql_bytes);
                let mut batch = vec![wire::parse(b"", &sql)];
                for _ in 0..*executions {
                    batch.extend([wire::bind(b"", &Text::Binary.bytes(*value_bytes)), wire::execute()]);
                }
                batch.push(wire::sync());
                self.send_messages(&batch, cuts);
                self.exchange();
                self.answer(wire::result(400));
            }
            Step::Prepared { sql_bytes, syncs, cuts } => {
                let end = if *syncs { wire::sync() } else { wire::flush() };
                let parse = wire::parse(b"s1", &Text::Sql.bytes(*sql_bytes));
                self.send_messages(&[parse, wire::describe(b"s1"), end], cuts);
                self.answer([wire::message(b'1', b""), wire::message(b'n', b"")].concat());
            }
            Step::Closed => {
                self.send([wire::close(b"s1"), wire::sync()].concat());
                self.answer([wire::message(b'3', b""), wire::ready()].concat());
            }
            Step::Copied { data, bytes, message_bytes, cuts, is_noticed } => {
                self.send(wire::query(b"COPY t FROM STDIN"));
                self.exchange();
                self.answer(wire::message(b'G', &[0; 3]));
                let data = data.bytes(*bytes);
                let mut upload: Vec<u8> =
                    data.chunks(*message_bytes).flat_map(|part| wire::message(b'd', part)).collect();
                upload.extend(wire::message(b'c', b""));
                let (first, rest) = upload.split_at(if *is_noticed { upload.len() / 2 } else { upload.len() });
                self.send_in_pieces(first, cuts);
                if *is_noticed {
                    self.answer(wire::message(b'N', b"SWARNING\0"));
                    self.send_in_pieces(rest, cuts);
                    // What continues it is ambiguous.
                    self.may_be_marked = true;
                }
                self.answer(wire::result(0));
                self.has_uploaded = true;
            }
            Step::Notified => self.answer(wire::message(b'A', b"\0\0\0\x01jobs\0\0")),
            Step::Pipelined { batches, seen } => {
                self.may_be_marked = true;
                for batch in 0..*batches {
                    let bytes = [wire::bind(b"s1", b"1"), wire::execute(), wire::sync()].concat();
                    if batch == seen % batches {
                        self.send_seen(bytes);
                    } else {
                        self.send(bytes);
                    }
                    self.exchange();
                }
                for _ in 0..*batches {
                    self.answer(wire::result(9));
                }
            }
        }
    }
}

fn script(login: Option<&Login>, steps: &[Step], terminates: bool) -> Script {
    let mut script = Script::default();
    if let Some(login) = login {
        script.log_in(login);
    }
    for step in steps {
        script.say(step);
    }
    if terminates {
        script.send(wire::message(b'X', b""));
    }
    script
}

/// Conversations that other files wrap.
pub(crate) fn conversations() -> impl Strategy<Value = Script> {
    (logins(), steps(), any::<bool>()).prop_map(|(login, steps, ends)| script(Some(&login), &steps, ends))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn postgresql_is_exact_when_every_hook_runs(script in conversations(), tape in Tape::any()) {
        play(Observed::new(), &script, &tape, Faults::NONE).assert_exact(&script, Application::Postgresql)?;
    }

    #[test]
    fn postgresql_is_right_or_marked(script in conversations(), tape in Tape::any(), faults in Faults::any()) {
        play(Observed::new(), &script, &tape, faults).assert_honest(&script)?;
    }

    /// A pre-existing connection is recognised only by a query that fills its send.
    #[test]
    fn pre_existing_postgresql_is_right_or_marked(
        steps in steps(),
        at in resumptions(),
        tape in Tape::any(),
        faults in Faults::any(),
    ) {
        let script = script(None, &steps, true);
        play(start_at(at), &script, &tape, faults).assert_honest(&script)?;
    }
}
