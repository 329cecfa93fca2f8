//! `Expect: 100-continue`: the client sends the head, waits for `100 Continue`, and then sends the body. This is one
//! request.

use std::{fs, thread::sleep, time::Duration};

use tempfile::TempDir;

use crate::support::{
    clients::{assert_exact, by_curl, by_go},
    conversation::{Conversation, converse_once},
    http::{OK, read_answer, read_body, read_head, send},
};

/// Writes a file of this many bytes.
fn file(folder: &TempDir, bytes: usize) -> String {
    let path = folder.path().join(bytes.to_string());
    fs::write(&path, vec![b'.'; bytes]).expect("cannot write the file");
    path.display().to_string()
}

fn uploads(server: &str) {
    const EXPECT: &str = "--expect100-timeout 5 --header Expect:100-continue";
    let folder = tempfile::tempdir().expect("cannot create a directory");
    let (small, large) = (file(&folder, 5000), file(&folder, 2_000_000));
    assert_exact([
        by_curl(server, EXPECT, &format!("--upload-file {small}")),
        by_curl(server, &format!("{EXPECT} --data-binary @{small}"), ""),
        // curl uses `Expect` for large uploads by default.
        by_curl(server, "--expect100-timeout 5", &format!("--upload-file {large}")),
        by_go(server, "-alpn -read -expect -upload 5000"),
        by_go(server, "-alpn -read -expect -upload 2000000"),
        by_go(&format!("{server} -body 1048576"), "-alpn -expect -upload 5000"),
    ]);
}

#[test]
fn expect_continue_is_one_request_in_the_clear() {
    uploads("");
}

/// Within TLS, `100 Continue` is known only by its size.
#[test]
fn expect_continue_is_one_request_over_tls() {
    uploads("-tls 1.2");
    uploads("-tls 1.3");
}

/// Uploads to a server that sends `100 Continue` before it reads them.
fn continued(bodies: u64, pieces: usize) -> Conversation {
    converse_once(
        |mut stream| {
            let mut requests = 0;
            while let Some(head) = read_head(&mut stream) {
                assert!(head.contains("expect: 100-continue"), "{head}");
                send(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n");
                read_body(&mut stream, &head);
                requests += 1;
                send(&mut stream, OK);
            }
            requests
        },
        |mut stream| {
            for _ in 0..bodies {
                let length = pieces * 3000;
                send(
                    &mut stream,
                    format!("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"),
                );
                assert!(read_head(&mut stream).expect("cannot read the answer").starts_with("http/1.1 100 "));
                for _ in 0..pieces {
                    send(&mut stream, [b'.'; 3000]);
                    sleep(Duration::from_millis(1));
                }
                read_answer(&mut stream);
            }
        },
    )
}

#[test]
fn minimal_expect_continue_is_one_request() {
    continued(1, 1).assert_exact(1, "plain");
    continued(4, 10).assert_exact(4, "plain");
}
