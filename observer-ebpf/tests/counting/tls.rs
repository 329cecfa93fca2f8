//! HTTP/1 inside TLS.

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::{Application, Protocol};

use crate::{
    config,
    observed::Observed,
    play::{Faults, Tape, play},
    script::{Reading, Script},
    wire::tls::{self, Cipher, Handshake, records},
};

/// The shortest request, the shortest answer, and `HTTP/1.1 100 Continue`.
const REQUEST_BYTES: usize = 18;
const ANSWER_BYTES: usize = 17;
const CONTINUE_BYTES: usize = 25;

/// A step with a known number of exchanges. Lengths are those of records.
#[derive(Clone, Debug)]
enum Step {
    /// A request in one send or several, and its answer.
    Exchange { request: Vec<usize>, is_split: bool, answer: Vec<usize> },
    /// The body waits for `100 Continue`.
    Expecting { head: usize, body: Vec<usize>, answer: Vec<usize> },
    /// A key update.
    Updated,
}

/// TLS 1.3 tickets of equal length.
#[derive(Clone, Copy, Debug)]
struct Tickets {
    count: usize,
    bytes: usize,
    /// They arrive after the head of the first request, whose body waits for them. Otherwise before it.
    are_late: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (records(REQUEST_BYTES), any::<bool>(), records(ANSWER_BYTES))
            .prop_map(|(request, is_split, answer)| Step::Exchange { request, is_split, answer }),
        1 => (60..400_usize, vec(1..3000_usize, 1..3), records(ANSWER_BYTES))
            .prop_map(|(head, body, answer)| Step::Expecting { head, body, answer }),
        1 => Just(Step::Updated),
    ];
    vec(step, 1..8)
}

fn tickets() -> impl Strategy<Value = Tickets> {
    (0..4_usize, 150..300_usize, any::<bool>()).prop_map(|(count, bytes, are_late)| Tickets { count, bytes, are_late })
}

impl Script {
    fn shake_hands(&mut self, handshake: &Handshake) {
        for flight in handshake.flights() {
            for send in flight.sends {
                self.send(send);
            }
            if flight.answer > 0 {
                self.answer(tls::record(tls::HANDSHAKE, &vec![7; flight.answer]));
            }
        }
    }

    /// The rest of a connection after its handshake.
    fn go_on(&mut self, handshake: &Handshake, tickets: Tickets, steps: &[Step]) {
        let cipher = handshake.cipher;
        let data = |lengths: &[usize]| lengths.iter().flat_map(|bytes| cipher.data(*bytes)).collect::<Vec<u8>>();
        let answer = |lengths: &[usize]| lengths.iter().flat_map(|bytes| cipher.answer(*bytes)).collect::<Vec<u8>>();
        if cipher.is_tls13() && tickets.count > 0 {
            let tickets_bytes = cipher.answer(tickets.bytes).repeat(tickets.count);
            if tickets.are_late {
                self.send(data(&[200]));
                self.exchange();
                self.answer(tickets_bytes);
                self.send(data(&[500]));
                self.answer(answer(&[300]));
            } else {
                self.arrive(tickets_bytes);
            }
        }
        for step in steps {
            match step {
                Step::Exchange { request, is_split, answer: answered } => {
                    if *is_split {
                        for bytes in request {
                            self.send(data(&[*bytes]));
                        }
                    } else {
                        self.send_vectored(request.iter().map(|bytes| data(&[*bytes])).collect());
                    }
                    self.answered(answer(answered));
                }
                Step::Expecting { head, body, answer: answered } => {
                    self.send(data(&[*head]));
                    self.answer(cipher.answer(CONTINUE_BYTES));
                    self.send(data(body));
                    self.answered(answer(answered));
                }
                Step::Updated if cipher.is_tls13() => self.send(cipher.key_update()),
                Step::Updated => {}
            }
        }
        // The client's goodbye and the server's.
        self.send(cipher.alert());
        self.answer(cipher.answered_alert());
    }
}

/// A client that reads in any way, from a server that sends no tickets after the head of a request.
fn script(handshake: &Handshake, tickets: Tickets, steps: &[Step]) -> Script {
    let mut script = Script::default();
    script.shake_hands(handshake);
    let tickets = Tickets { are_late: false, ..tickets };
    let steps: Vec<Step> = steps.iter().filter(|step| can_be_told(handshake, step)).cloned().collect();
    // If no tickets came earlier, the first answer may be tickets. A peer of a client that pads may not pad, which
    // changes the length of `100 Continue`.
    let pads = handshake.cipher == Cipher::Java13;
    let may_be_marked = |step: &Step| match step {
        Step::Expecting { .. } => pads || !handshake.offers_http(),
        // As short as `100 Continue` with another reason phrase.
        Step::Exchange { answer, .. } => answer.iter().sum::<usize>() <= if pads { 41 } else { CONTINUE_BYTES },
        Step::Updated => false,
    };
    script.may_be_marked = handshake.may_be_marked()
        || handshake.cipher.is_tls13() && tickets.count == 0
        || steps.iter().any(may_be_marked);
    // A part of a request that is as long as HTTP/2's settings acknowledgement.
    let acknowledges =
        |step: &Step| matches!(step, Step::Exchange { request, is_split: true, .. } if request[1..].contains(&9));
    script.may_be_marked |= handshake.offers.contains(&b"h2".as_slice()) && steps.iter().any(acknowledges);
    script.go_on(handshake, tickets, &steps);
    script
}

/// Where HTTP was offered, `100 Continue` is recognised by its length, and an answer of that length would be taken for
/// it. No known one leaves the connection open (docs/COUNTING.md).
fn can_be_told(handshake: &Handshake, step: &Step) -> bool {
    match step {
        Step::Exchange { answer, .. } => *answer != [CONTINUE_BYTES] || !handshake.offers_http(),
        Step::Expecting { .. } | Step::Updated => true,
    }
}

/// Conversations that other files wrap.
pub(crate) fn conversations() -> impl Strategy<Value = Script> {
    (Handshake::any(), tickets(), steps()).prop_map(|(handshake, tickets, steps)| script(&handshake, tickets, &steps))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn tls_is_right_or_marked(
        handshake in Handshake::any(),
        tickets in tickets(),
        steps in steps(),
        tape in Tape::any(),
        faults in Faults::any(),
    ) {
        let script = script(&handshake, tickets, &steps);
        play(Observed::new(), &script, &tape, faults).assert_honest(&script)?;
    }

    #[test]
    fn tls_is_exact_when_every_hook_runs(
        handshake in Handshake::any(),
        tickets in tickets(),
        steps in steps(),
        tape in Tape::any(),
    ) {
        let script = script(&handshake, tickets, &steps);
        let player = play(Observed::new(), &script, &tape, Faults::NONE);
        player.assert_exact(&script, Application::Unknown)?;
        prop_assert!(player.observed.is(Protocol::Tls) || player.observed.is_marked());
    }

    /// They are recognised by the way OpenSSL reads, or by their lengths if everything is read at once. One or three of
    /// them, read at once, look like an answer (docs/COUNTING.md).
    #[test]
    fn late_tickets_are_no_answer_or_marked(
        handshake in Handshake::of(&[Cipher::Tls13, Cipher::Tls13Sha384, Cipher::Java13]),
        count in 1..3_usize,
        bytes in 150..300_usize,
        steps in steps(),
        by_records: bool,
        tape in Tape::any(),
    ) {
        let mut script = Script { reading: if by_records { Reading::Records } else { Reading::Whole }, ..Script::default() };
        script.shake_hands(&handshake);
        let steps: Vec<Step> = steps.iter().filter(|step| can_be_told(&handshake, step)).cloned().collect();
        let tickets = Tickets { count: if by_records { count } else { 2 }, bytes, are_late: true };
        script.go_on(&handshake, tickets, &steps);
        play(Observed::new(), &script, &tape, Faults::NONE).assert_honest(&script)?;
    }
}

/// It may be mail. In TLS 1.3 it could be tickets.
#[test]
fn server_first_protocol_inside_tls_is_marked() {
    for cipher in [Cipher::Gcm12, Cipher::ChaCha12] {
        let mut script = Script::default();
        script.send(tls::hello(&[], false));
        script.answer(tls::record(tls::HANDSHAKE, &[7; 2000]));
        script.send([tls::record(tls::CHANGE_CIPHER_SPEC, &[1]), tls::record(tls::HANDSHAKE, &[7; 40])].concat());
        script.answer(tls::record(tls::HANDSHAKE, &[7; 51]));
        script.answer(cipher.answer(40));
        for _ in 0..2 {
            script.send(cipher.data(90));
            script.answered(cipher.answer(90));
        }
        let player = play(Observed::new(), &script, &Tape::blank(), Faults::NONE);
        assert!(player.observed.is_marked());
    }
}
