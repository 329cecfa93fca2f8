//! The dashboard on a terminal: keys and signals go in, frames come out. A frame is drawn when something has changed, but
//! not too often, and never while the terminal has not taken the one before it.

mod pacing;

use std::{cell::RefCell, fmt, future::ready, io, rc::Rc, thread, time::Duration};

use anyhow::Context as _;
use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    buffer::Buffer,
    crossterm::event::{self, Event},
};
use rustix::{
    process::{Signal as ProcessSignal, getpid, kill_process},
    time::{ClockId, clock_gettime},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, sleep_until},
};

use crate::{
    diagnostics,
    event::About,
    output::Output,
    terminal,
    tracker::Snapshot,
    view::{Outcome, Tui},
};
use pacing::{Pacing, SHOWN};

/// How soon a terminal that has not taken the last frame is looked at again.
const RETRY: Duration = Duration::from_millis(20);

/// How long the terminal may take to show what is left.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Dashboard {
    pub(crate) tui: Tui,
    /// What is to be said again when the screen is gone, and its log with it.
    pub(crate) parting: Vec<String>,
    frames: Terminal<CrosstermBackend<Bytes>>,
    /// What the frames write.
    bytes: Bytes,
    /// What the last one looked like.
    shown: Buffer,
    input: UnboundedReceiver<Event>,
    suspend: Signal,
    go_on: Signal,
    has_changed: bool,
    /// Someone has pressed a key, and waits.
    is_awaited: bool,
    /// A snapshot that is not taken in yet: with thousands of groups that takes a while, and keys come first.
    waiting: Option<Snapshot>,
    /// When the last snapshot came that was, or is to be.
    arranged: Option<Instant>,
    pacing: Pacing,
    /// How long it took to arrange snapshots, and to draw frames.
    arranging: Pace,
    drawing: Pace,
}

/// How much of a processor something took that is done again and again.
#[derive(Default)]
struct Pace {
    times: u32,
    sum: Duration,
    worst: Duration,
}

impl Pace {
    /// Does it.
    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = used();
        let done = work();
        let took = used().saturating_sub(began);
        self.times += 1;
        self.sum += took;
        self.worst = self.worst.max(took);
        done
    }
}

/// What this thread has used of a processor so far: others that have it meanwhile do not count.
fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |time: Duration| time.as_micros();
        write!(f, "{}, {} us each, {} us at most", self.times, us(self.sum / self.times.max(1)), us(self.worst))
    }
}

/// Something to do.
pub(crate) enum Wake {
    /// None: there is no more to come, so the terminal is gone.
    Input(Option<Event>),
    Suspend,
    GoOn,
    Snapshot,
    Frame,
}

impl Dashboard {
    /// Takes the terminal, and starts a thread.
    pub(crate) fn start(about: &About, output: &mut Output) -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let (suspend, go_on) = (
            listen(SignalKind::from_raw(ProcessSignal::TSTP.as_raw()))?,
            listen(SignalKind::from_raw(ProcessSignal::CONT.as_raw()))?,
        );
        let bytes = Bytes::default();
        let frames = frames(&bytes)?;
        output.bytes(&terminal::take()?);
        diagnostics::hold();
        Ok(Self {
            tui: Tui::new(terminal::theme(), about),
            parting: Vec::new(),
            frames,
            bytes,
            shown: Buffer::default(),
            input: keys(),
            suspend,
            go_on,
            has_changed: true,
            is_awaited: false,
            waiting: None,
            arranged: None,
            pacing: Pacing::default(),
            arranging: Pace::default(),
            drawing: Pace::default(),
        })
    }

    /// There is something new to be seen, unless the picture is frozen.
    pub(crate) fn changed(&mut self) {
        self.has_changed |= !self.tui.is_frozen();
    }

    /// There will be nothing new.
    pub(crate) fn over(&mut self) {
        self.tui.over();
        self.has_changed = true;
    }

    /// Shows it when there is time, unless the one before it has not been seen for long: a recording may go by without a
    /// pause.
    pub(crate) fn snapshot(&mut self, snapshot: Snapshot) {
        let now = Instant::now();
        let was_just_now = self.arranged.is_some_and(|arranged| now - arranged < SHOWN);
        if was_just_now && !self.tui.is_over() {
            self.tui.pass(&snapshot);
            return;
        }
        self.arranged = Some(now);
        if let Some(earlier) = self.waiting.replace(snapshot) {
            self.tui.pass(&earlier);
        }
    }

    fn arrange(&mut self) {
        let Some(snapshot) = self.waiting.take() else { return };
        self.arranging.of(|| self.tui.snapshot(snapshot));
        self.changed();
    }

    /// Waits for something to do. `is_busy`: the terminal has not taken the last frame yet.
    pub(crate) async fn wake(&mut self, is_busy: bool) -> Wake {
        let now = Instant::now();
        let due = if is_busy { self.due(now).max(now + RETRY) } else { self.due(now) };
        tokio::select! {
            biased;
            input = self.input.recv() => Wake::Input(input),
            _ = self.suspend.recv() => Wake::Suspend,
            _ = self.go_on.recv() => Wake::GoOn,
            () = ready(()), if self.waiting.is_some() => Wake::Snapshot,
            () = sleep_until(due), if (self.has_changed && terminal::is_taken()) || is_busy => Wake::Frame,
        }
    }

    /// When the next frame may be drawn.
    fn due(&self, now: Instant) -> Instant {
        self.pacing.due(now, self.is_awaited)
    }

    /// Does it. True when the one who watches wants to quit.
    pub(crate) fn act(&mut self, wake: Wake, output: &mut Output) -> bool {
        match wake {
            Wake::Input(Some(input)) => {
                if self.take(&input, output) {
                    return true;
                }
                // At once, if it may be: the next occasion may be a while off.
                if self.is_awaited && self.due(Instant::now()) <= Instant::now() {
                    self.draw_unless_busy(output);
                }
            }
            Wake::Input(None) => return true,
            Wake::Suspend => self.suspend(output),
            Wake::GoOn => self.resume(output),
            Wake::Snapshot => self.arrange(),
            Wake::Frame => self.draw_unless_busy(output),
        }
        false
    }

    fn take(&mut self, input: &Event, output: &mut Output) -> bool {
        let outcome = match input {
            Event::Key(key) => self.tui.key(*key),
            Event::Resize(..) => Outcome::Draw,
            _ => Outcome::Nothing,
        };
        match outcome {
            Outcome::Draw => (self.has_changed, self.is_awaited) = (true, true),
            Outcome::Afresh => self.afresh(&terminal::cleared(), output),
            Outcome::Nothing => {}
            Outcome::Suspend => self.suspend(output),
            Outcome::Quit => return true,
        }
        false
    }

    fn draw_unless_busy(&mut self, output: &mut Output) {
        output.flush();
        // After a stop the terminal is the shell's until the signal to go on has been heard.
        if self.has_changed && !output.is_busy() && terminal::is_taken() {
            self.draw(output);
        }
    }

    fn draw(&mut self, output: &mut Output) {
        let Self { frames, tui, shown, .. } = self;
        let drawn = self.drawing.of(|| {
            let frame = frames.draw(|frame| tui.draw(frame))?;
            let is_new = frame.buffer != shown;
            if is_new {
                shown.clone_from(frame.buffer);
            }
            io::Result::Ok(is_new)
        });
        let bytes = self.bytes.take();
        match drawn {
            Ok(true) => output.bytes(&bytes),
            // Where the cursor is, and no more.
            Ok(false) => {}
            // It writes to memory: only asking for the size of a terminal that has gone can fail, and then there is a
            // signal.
            Err(error) => log::debug!("cannot draw: {error}"),
        }
        output.flush();
        self.pacing.drew(Instant::now(), self.is_awaited);
        (self.has_changed, self.is_awaited) = (false, false);
    }

    /// Gives the terminal back, and stops the program until somebody lets it go on, which is a signal as well.
    fn suspend(&mut self, output: &mut Output) {
        self.leave(output);
        // It cannot be refused, and a program may send signals to itself.
        let _ = kill_process(getpid(), ProcessSignal::STOP);
    }

    /// Takes the terminal again: a shell has had it in between, also where nobody asked us to leave it.
    fn resume(&mut self, output: &mut Output) {
        terminal::modes_back();
        match terminal::take() {
            Ok(bytes) => {
                diagnostics::hold();
                self.afresh(&bytes, output);
            }
            Err(error) => log::warn!("{error:#}"),
        }
    }

    /// Draws everything, on a screen that these bytes have emptied.
    fn afresh(&mut self, emptied: &[u8], output: &mut Output) {
        match frames(&self.bytes) {
            Ok(frames) => (self.frames, self.shown) = (frames, Buffer::default()),
            // The next signal tells of it.
            Err(error) => log::debug!("{error:#}"),
        }
        output.bytes(emptied);
        (self.has_changed, self.is_awaited) = (true, true);
    }

    /// Gives the terminal back.
    pub(crate) fn leave(&mut self, output: &mut Output) {
        if let Some(bytes) = terminal::give_back() {
            output.bytes(&bytes);
            let patience = Instant::now() + PATIENCE;
            while output.is_busy() && Instant::now() < patience {
                output.flush();
                thread::sleep(Duration::from_millis(1));
            }
            terminal::modes_back();
            log::debug!("snapshots arranged: {}; frames drawn: {}", self.arranging, self.drawing);
            // A terminal that takes nothing would not take these either, and the watch has to end.
            if !output.is_busy() {
                diagnostics::release();
            }
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        terminal::give_back_now();
    }
}

fn frames(bytes: &Bytes) -> anyhow::Result<Terminal<CrosstermBackend<Bytes>>> {
    Terminal::new(CrosstermBackend::new(bytes.clone())).context("cannot tell the size of the terminal")
}

/// Keys and resizes, from a thread that waits for them.
fn keys() -> UnboundedReceiver<Event> {
    let (sender, keys) = unbounded_channel();
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    keys
}

/// What a frame writes, on its way to the thread that writes to the terminal.
#[derive(Clone, Default)]
struct Bytes(Rc<RefCell<Vec<u8>>>);

impl Bytes {
    fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
