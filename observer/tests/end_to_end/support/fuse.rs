//! A file system in user space with one executable. Once it is told to, it answers no open of it any more: whoever looks
//! into the executable waits, and not even SIGKILL ends the wait for a request that the file system has taken
//! (`request_wait_answer()`, fs/fuse/dev.c). It speaks the protocol of /dev/fuse itself (fuse(4), include/uapi/linux/fuse.h).

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    mount::{MountFlags, UnmountFlags, mount, unmount},
};
use tempfile::TempDir;

const NAME: &str = "program";

/// What becomes of an open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opens {
    Answered,
    /// Not even taken: the wait for it can be killed.
    LeftAlone,
    /// Taken and not answered: the wait cannot be killed.
    Held,
}

pub(crate) struct FileSystem {
    folder: TempDir,
    opens: Arc<AtomicU8>,
    server: Option<JoinHandle<()>>,
}

impl FileSystem {
    /// Mounts it, with a copy of this program.
    pub(crate) fn with(program: &Path) -> Self {
        let content = fs::read(program).expect("cannot read the program");
        let folder = tempfile::tempdir().expect("cannot create a directory");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("cannot set the permissions");
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").expect("cannot open /dev/fuse");
        let data = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other\0", device.as_raw_fd());
        let data = std::ffi::CStr::from_bytes_with_nul(data.as_bytes()).expect("it ends with a NUL");
        mount("stuck", folder.path(), "fuse", MountFlags::empty(), Some(data)).expect("cannot mount");
        let opens = Arc::new(AtomicU8::new(Opens::Answered as u8));
        let server = Server { device, content, opens: Arc::clone(&opens), held: Vec::new() };
        let server = thread::spawn(move || server.run());
        let this = Self { folder, opens, server: Some(server) };
        // From then on the kernel has every page, so a process that runs it needs the file system no more.
        let copied = fs::read(this.program()).expect("the file system answers");
        assert_eq!(copied.len() as u64, fs::metadata(program).expect("the program exists").len());
        this
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// Those that were held are answered when all are.
    pub(crate) fn set_opens(&self, opens: Opens) {
        self.opens.store(opens as u8, SeqCst);
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        // Ends every wait, and the server, whatever still runs from it.
        let unmounted = unmount(self.folder.path(), UnmountFlags::FORCE)
            .or_else(|_| unmount(self.folder.path(), UnmountFlags::DETACH));
        if let (Ok(()), Some(server)) = (unmounted, self.server.take()) {
            let _ = server.join();
        }
    }
}

// Operations (`enum fuse_opcode`).
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// The numbers of the folder and of the executable.
const ROOT: u64 = 1;
const PROGRAM: u64 = 2;

/// `FOPEN_KEEP_CACHE`: the kernel need not read again what it has read.
const KEEP_CACHE: u32 = 1 << 1;

struct Server {
    device: File,
    content: Vec<u8>,
    opens: Arc<AtomicU8>,
    /// Requests to open that wait for their answer.
    held: Vec<u64>,
}

impl Server {
    /// Ends when the file system is unmounted.
    fn run(mut self) {
        let mut request = vec![0; 256 << 10];
        loop {
            if self.opens.load(SeqCst) == Opens::Answered as u8 {
                for id in std::mem::take(&mut self.held) {
                    self.answer(id, 0, &opened());
                }
            }
            if self.opens.load(SeqCst) == Opens::LeftAlone as u8 {
                thread::sleep(Duration::from_millis(5));
                if self.is_gone() {
                    return;
                }
                continue;
            }
            let timeout = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
            if let Ok(1..) = poll(&mut [PollFd::new(&self.device, PollFlags::IN)], Some(&timeout))
                && self.opens.load(SeqCst) != Opens::LeftAlone as u8
            {
                match self.device.read(&mut request) {
                    Ok(len) => self.serve(&request[..len]),
                    Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return,
                    // The request was withdrawn (ENOENT), or the read was interrupted.
                    Err(_) => {}
                }
            }
        }
    }

    fn is_gone(&self) -> bool {
        let mut polled = [PollFd::new(&self.device, PollFlags::IN)];
        let _ = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        polled[0].revents().contains(PollFlags::ERR)
    }

    fn serve(&mut self, request: &[u8]) {
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().expect("eight bytes"));
        let (operation, id, node, body) = (word(4), long(8), long(16), 40);
        match operation {
            // The version of the protocol, sizes, and no features.
            INIT => {
                let mut answer = [word(body), 31, 0, 0, 0, 128 << 10].map(u32::to_ne_bytes).concat();
                answer.resize(64, 0);
                self.answer(id, 0, &answer);
            }
            LOOKUP if request[body..].starts_with(NAME.as_bytes()) => {
                let entry = [PROGRAM, 0, 3600, 3600, 0].map(u64::to_ne_bytes).concat();
                self.answer(id, 0, &[entry, self.attributes(PROGRAM)].concat());
            }
            LOOKUP => self.answer(id, -libc::ENOENT, &[]),
            GETATTR => {
                let valid = [3600, 0].map(u64::to_ne_bytes).concat();
                self.answer(id, 0, &[valid, self.attributes(node)].concat());
            }
            OPEN if self.opens.load(SeqCst) == Opens::Held as u8 => self.held.push(id),
            OPEN => self.answer(id, 0, &opened()),
            READ => {
                let from = usize::try_from(long(body + 8)).map_or(self.content.len(), |at| at.min(self.content.len()));
                let to = (from + word(body + 16) as usize).min(self.content.len());
                self.answer(id, 0, &self.content[from..to]);
            }
            RELEASE => self.answer(id, 0, &[]),
            FORGET | BATCH_FORGET | INTERRUPT => {}
            _ => self.answer(id, -libc::ENOSYS, &[]),
        }
    }

    /// `struct fuse_attr`.
    fn attributes(&self, node: u64) -> Vec<u8> {
        let (mode, size) = if node == ROOT { (0o40755, 0) } else { (0o100_755, self.content.len() as u64) };
        let mut attributes = [node, size, size / 512, 0, 0, 0].map(u64::to_ne_bytes).concat();
        attributes.extend([0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].map(u32::to_ne_bytes).concat());
        attributes
    }

    /// Fails if nobody waits for the answer any more.
    fn answer(&self, id: u64, error: i32, body: &[u8]) {
        let len = u32::try_from(16 + body.len()).expect("answers are short");
        let head = [&len.to_ne_bytes()[..], &error.to_ne_bytes(), &id.to_ne_bytes()].concat();
        let _ = (&self.device).write(&[&head, body].concat());
    }
}

/// `struct fuse_open_out`.
fn opened() -> Vec<u8> {
    [0, 0, KEEP_CACHE, 0].map(u32::to_ne_bytes).concat()
}
