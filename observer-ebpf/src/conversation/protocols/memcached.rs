//! memcached: one-line commands with answers of one or more lines, or the binary protocol. A command alone (`get `)
//! could be anything, so recognition needs its answer. memcached's doc/protocol.txt, and its wiki,
//! "BinaryProtocolRevamped".

use crate::conversation::{Head, message::starts_with};

const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;

#[inline(always)]
pub(in crate::conversation) fn may_be_command(head: Head) -> bool {
    let word = head.words[0];
    let is_text = starts_with(word, b"get ")
        || starts_with(word, b"gets ")
        || starts_with(word, b"gat")
        || starts_with(word, b"set ")
        || starts_with(word, b"add ")
        || starts_with(word, b"cas ")
        || starts_with(word, b"incr ")
        || starts_with(word, b"decr ")
        || starts_with(word, b"touch ")
        || starts_with(word, b"delete ")
        || starts_with(word, b"append ")
        || starts_with(word, b"prepend ")
        || starts_with(word, b"replace ")
        || starts_with(word, b"version")
        || starts_with(word, b"stats")
        || starts_with(word, b"mg ")
        || starts_with(word, b"ms ")
        || starts_with(word, b"mn\r\n");
    // Magic, opcode, key length, extras length, and a data type of 0.
    is_text || head.byte(0) == REQUEST && head.len >= 24 && head.byte(5) == 0
}

#[inline(always)]
pub(in crate::conversation) fn is_answer(head: Head) -> bool {
    let word = head.words[0];
    starts_with(word, b"VALUE ")
        || starts_with(word, b"END\r\n")
        || starts_with(word, b"STORED\r\n")
        || starts_with(word, b"NOT_STOR")
        || starts_with(word, b"NOT_FOUN")
        || starts_with(word, b"EXISTS\r\n")
        || starts_with(word, b"DELETED\r")
        || starts_with(word, b"TOUCHED\r")
        || starts_with(word, b"VERSION ")
        || starts_with(word, b"STAT ")
        || starts_with(word, b"HD\r\n")
        || starts_with(word, b"HD ")
        || starts_with(word, b"VA ")
        || starts_with(word, b"EN\r\n")
        || starts_with(word, b"MN\r\n")
        || starts_with(word, b"SERVER_E")
        || starts_with(word, b"CLIENT_E")
        || head.byte(0) == RESPONSE && head.len >= 24 && head.byte(5) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::head_of;

    #[test]
    fn command_needs_a_matching_answer() {
        for command in ["get page-1\r\n", "set k 0 0 1\r\nv\r\n", "gets a b\r\n", "version\r\n", "delete k\r\n"] {
            assert!(may_be_command(head_of(command.as_bytes())), "{command}");
        }
        for answer in ["END\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n", "STORED\r\n", "NOT_FOUND\r\n", "VERSION 1.6.18\r\n"] {
            assert!(is_answer(head_of(answer.as_bytes())), "{answer}");
        }
        assert!(
            !is_answer(head_of(b"OK\r\n")) && !is_answer(head_of(b"ENDING")) && !may_be_command(head_of(b"getting"))
        );
        let binary = |magic: u8| head_of(&[&[magic, 0, 0, 3][..], &[0; 24]].concat());
        assert!(may_be_command(binary(REQUEST)) && is_answer(binary(RESPONSE)) && !is_answer(binary(REQUEST)));
    }
}
