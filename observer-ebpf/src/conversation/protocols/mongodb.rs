//! MongoDB: a header of four little-endian numbers, then the message. A connection begins with `hello` and, where users
//! exist, a login. MongoDB's documentation, "MongoDB Wire Protocol".

use crate::conversation::{
    Head, Message, Send,
    message::{lower, starts_with},
};

const OP_QUERY: u32 = 2004;
const OP_COMPRESSED: u32 = 2012;
const OP_MSG: u32 = 2013;

#[inline(always)]
fn operation(head: Head) -> u32 {
    head.u32_at(12).swap_bytes()
}

/// The length, and 0 as the id of the request that this responds to.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, send: Send) -> bool {
    head.len >= 16
        && head.u32_at(0).swap_bytes() == send.len
        && head.u32_at(8) == 0
        && matches!(operation(head), OP_QUERY | OP_COMPRESSED | OP_MSG)
}

/// The command's name is that of the document's first element, after flags 4, kind 1, length 4 and type 1. In the
/// legacy form (`OP_QUERY`: flags 4, then the collection), commands query the collection `admin.$cmd`. Drivers use it
/// for `isMaster`.
#[inline(always)]
pub(in crate::conversation) fn sets_up(_: &mut impl Message, head: Head, _: u32) -> bool {
    let name = lower(head.words[3] << 16);
    let is_hello = starts_with(name, b"hello ")
        || starts_with(name, b"ismast")
        || starts_with(name, b"saslst")
        || starts_with(name, b"saslco");
    operation(head) == OP_QUERY && head.has(20, b"admin.$c") || operation(head) == OP_MSG && is_hello
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    fn message(command: &str) -> Vec<u8> {
        let body = [&[0; 4][..], &[0], &40_u32.to_le_bytes(), &[0x10], command.as_bytes(), &[0; 30]].concat();
        let len = u32::try_from(body.len() + 16).unwrap().to_le_bytes();
        [&len[..], &[7, 0, 0, 0], &[0; 4], &OP_MSG.to_le_bytes(), &body].concat()
    }

    #[test]
    fn hello_and_login_set_up() {
        for command in ["hello", "isMaster", "ismaster", "saslStart", "saslContinue"] {
            let message = message(command);
            assert!(begins(head_of(&message), first(&message)) && sets_up_with(sets_up, &message), "{command}");
        }
        let find = message("find");
        assert!(begins(head_of(&find), first(&find)) && !sets_up_with(sets_up, &find));
        assert!(!begins(head_of(&find[..40]), first(&find[..40])), "another length");
    }
}
