//! Payload is read in the kernel, and stays there no longer than that takes.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

use tempfile::tempdir;

use crate::support::{eventually, kernel::connections_of, machine::Machine, peer::Peer};

/// In what is sent and in what is answered.
const SECRET: &str = "hunter2-hunter2-hunter2";

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The readable memory of a process, in pieces.
fn memory_of(pid: u32) -> Vec<Vec<u8>> {
    let maps = BufReader::new(File::open(format!("/proc/{pid}/maps")).expect("the process is running"));
    let memory = File::open(format!("/proc/{pid}/mem")).expect("root may read it");
    let readable = maps.lines().map(|line| line.expect("the maps are UTF-8")).filter(|line| line.contains(" r"));
    let piece = |line: String| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).expect("a hexadecimal address"));
        let mut bytes = vec![0; usize::try_from(to - from).expect("it fits into memory")];
        // The rest of a mapping may be unreadable.
        let read = memory.read_at(&mut bytes, from).ok()?;
        bytes.truncate(read);
        Some(bytes)
    };
    readable.filter_map(piece).collect()
}

#[test]
fn payload_is_neither_kept_nor_shown() {
    let machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = |name: &str| folder.path().join(name);
    let (recording, summary, log, socket) = (file("recording"), file("summary"), file("log"), file("metrics.sock"));
    let peer = Peer::new(|mut stream| {
        let mut bytes = [0; 4096];
        while let Ok(1..) = stream.read(&mut bytes) {
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nset-cookie: {SECRET}\r\n\r\n{SECRET}", SECRET.len());
            stream.write_all(answer.as_bytes()).expect("the client reads");
        }
    });
    let arguments = format!(
        "-p {} --exchanges -v --log-file {} --record {} --summary {} --metrics unix:{}",
        peer.port(),
        log.display(),
        recording.display(),
        summary.display(),
        socket.display()
    );
    let mut watch = machine.watch(arguments);
    let mut stream = peer.connect();
    for _ in 0..3 {
        write!(stream, "GET /{SECRET} HTTP/1.1\r\nhost: {SECRET}\r\nauthorization: {SECRET}\r\n\r\n")
            .expect("the server reads");
        let mut bytes = [0; 4096];
        assert_ne!(stream.read(&mut bytes).expect("the server answers"), 0);
    }
    eventually("a sample has been recorded", || fs::read_to_string(&recording).is_ok_and(|text| text.contains("Rust")));
    let pid = watch.tool.id();
    let entries = connections_of(pid);
    assert!(!entries.is_empty() && !entries.iter().any(|entry| contains(entry, "hunter2")), "the kernel keeps none");
    let memory = memory_of(pid);
    let port = peer.port().to_string();
    assert!(memory.iter().any(|piece| contains(piece, &port)), "this is the watch's memory");
    assert!(!memory.iter().any(|piece| contains(piece, "hunter2")), "none leaves the kernel");
    let mut metrics = std::os::unix::net::UnixStream::connect(&socket).expect("metrics are served");
    metrics.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("the exporter reads");
    let mut page = String::new();
    metrics.read_to_string(&mut page).expect("the page is UTF-8");
    watch.tool.signal(rustix::process::Signal::INT);
    let report = watch.ended();
    let read = |path: &Path| fs::read_to_string(path).expect("the file is there");
    let outputs = [page, read(&recording), read(&summary), read(&log), format!("{report:?}")];
    for output in outputs {
        assert!(output.len() > 100 && !output.contains("hunter2"), "{output}");
    }
}

#[test]
fn watched_bytes_arrive_unchanged() {
    let machine = Machine::shared();
    let peer = Peer::new(|mut stream| {
        let mut bytes = vec![0; 65_536];
        while let Ok(read @ 1..) = stream.read(&mut bytes) {
            stream.write_all(&bytes[..read]).expect("the client reads");
        }
    });
    let watch = machine.watch(format!("-p {}", peer.port()));
    let sent: Vec<u8> = (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let mut stream = peer.connect();
    let mut writer = stream.try_clone().expect("a socket can be duplicated");
    let to_send = sent.clone();
    let sender = std::thread::spawn(move || {
        writer.write_all(&to_send).expect("the server reads");
        writer.shutdown(std::net::Shutdown::Write).expect("the socket is open");
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("the server answers");
    sender.join().expect("all is sent");
    assert!(received == sent, "{} of {} bytes, or others", received.len(), sent.len());
    watch.end();
}
