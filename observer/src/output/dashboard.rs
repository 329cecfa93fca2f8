//! The dashboard on a terminal: keys and signals go in, frames come out. A frame is drawn when something has changed,
//! at a bounded rate, and never before the terminal has taken the last one.

mod canvas;
mod cpu_time;
mod frame_rate;
mod keyboard;

use std::{future::ready, thread, time::Duration};

use anyhow::Context as _;
use observer_core::{
    Conclusion,
    model::{Activity, WatchInfo},
    tracker::{Notice, Row, Snapshot},
    views::{ActivityQuery, LinesView, Outcome, Tui, View as _, ended_watch_line},
};
use ratatui::crossterm::event::Event;
use rustix::process::{Signal as ProcessSignal, getpid, kill_process};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep_until},
};

use super::{
    diagnostics,
    face::{Ending, Face, Work},
    recorder::Recorder,
    stdout::Stdout,
    terminal,
};
use canvas::Canvas;
use cpu_time::CpuTime;
use frame_rate::{FrameRate, INTERVAL};

/// How soon to retry when the terminal has not taken the last frame.
const FLUSH_RETRY: Duration = Duration::from_millis(20);

/// How long the terminal may take to show queued output when the dashboard leaves it.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Dashboard {
    tui: Tui,
    canvas: Canvas,
    /// Notices to repeat on the restored screen, because the log pane is gone by then.
    farewell: Vec<String>,
    keyboard: UnboundedReceiver<Event>,
    suspend: Signal,
    resume: Signal,
    has_changed: bool,
    /// A key was pressed, and its effect is not on the screen yet.
    is_awaited: bool,
    /// The snapshot to arrange next. Arranging thousands of groups takes a while, so keys come first.
    pending: Option<Snapshot>,
    /// Arrival of the last snapshot that was or will be arranged.
    last_arranged: Option<Instant>,
    frame_rate: FrameRate,
    arranging: CpuTime,
    drawing: CpuTime,
}

/// Reasons for the dashboard to wake up.
enum Wake {
    /// None: the terminal is gone.
    Input(Option<Event>),
    Suspend,
    Resume,
    Snapshot,
    Frame,
}

impl Dashboard {
    /// Takes over the terminal and starts a thread that reads keys.
    pub(super) fn start(about: &WatchInfo, stdout: &mut Stdout) -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let suspend = listen(SignalKind::from_raw(ProcessSignal::TSTP.as_raw()))?;
        let resume = listen(SignalKind::from_raw(ProcessSignal::CONT.as_raw()))?;
        let canvas = Canvas::new()?;
        stdout.bytes(&terminal::enter()?);
        diagnostics::hold();
        Ok(Self {
            tui: Tui::new(terminal::theme(), about),
            canvas,
            farewell: Vec::new(),
            keyboard: keyboard::listen(),
            suspend,
            resume,
            has_changed: true,
            is_awaited: false,
            pending: None,
            last_arranged: None,
            frame_rate: FrameRate::default(),
            arranging: CpuTime::default(),
            drawing: CpuTime::default(),
        })
    }

    fn mark_changed(&mut self) {
        self.has_changed |= !self.tui.is_frozen();
    }

    fn arrange(&mut self) {
        let Some(snapshot) = self.pending.take() else { return };
        self.arranging.measure(|| self.tui.snapshot(snapshot));
        self.mark_changed();
    }

    /// `is_busy`: the terminal has not taken the last frame yet.
    async fn wake(&mut self, is_busy: bool) -> Wake {
        let now = Instant::now();
        let due = if is_busy { self.due(now).max(now + FLUSH_RETRY) } else { self.due(now) };
        tokio::select! {
            biased;
            input = self.keyboard.recv() => Wake::Input(input),
            _ = self.suspend.recv() => Wake::Suspend,
            _ = self.resume.recv() => Wake::Resume,
            () = ready(()), if self.pending.is_some() => Wake::Snapshot,
            () = sleep_until(due), if (self.has_changed && terminal::is_entered()) || is_busy => Wake::Frame,
        }
    }

    /// When the next frame may be drawn.
    fn due(&self, now: Instant) -> Instant {
        self.frame_rate.due(now, self.is_awaited)
    }

    /// Returns true if the user quits.
    fn handle(&mut self, wake: Wake, stdout: &mut Stdout) -> bool {
        match wake {
            Wake::Input(Some(input)) => {
                if self.input(&input, stdout) {
                    return true;
                }
                // Drawn at once if the frame rate allows it, because the next wake may be a while off.
                if self.is_awaited && self.due(Instant::now()) <= Instant::now() {
                    self.draw_unless_busy(stdout);
                }
            }
            Wake::Input(None) => return true,
            Wake::Suspend => self.suspend(stdout),
            Wake::Resume => self.resume(stdout),
            Wake::Snapshot => self.arrange(),
            Wake::Frame => self.draw_unless_busy(stdout),
        }
        false
    }

    fn input(&mut self, input: &Event, stdout: &mut Stdout) -> bool {
        let outcome = match input {
            Event::Key(key) => self.tui.key(*key),
            Event::Resize(..) => Outcome::Draw,
            _ => Outcome::Nothing,
        };
        match outcome {
            Outcome::Draw => (self.has_changed, self.is_awaited) = (true, true),
            Outcome::Redraw => self.redraw(&terminal::clear(), stdout),
            Outcome::Nothing => {}
            Outcome::Suspend => self.suspend(stdout),
            Outcome::Quit => return true,
        }
        false
    }

    fn draw_unless_busy(&mut self, stdout: &mut Stdout) {
        stdout.flush();
        // After a stop the terminal is the shell's until SIGCONT was handled.
        if self.has_changed && !stdout.is_busy() && terminal::is_entered() {
            self.draw(stdout);
        }
    }

    fn draw(&mut self, stdout: &mut Stdout) {
        let drawn = self.drawing.measure(|| self.canvas.draw(&mut self.tui));
        match drawn {
            Ok(bytes) => stdout.bytes(&bytes),
            // Frames are drawn to memory. Only querying the size of a closed terminal can fail, and a signal follows.
            Err(error) => log::debug!("cannot draw: {error}"),
        }
        stdout.flush();
        self.frame_rate.drew(Instant::now(), self.is_awaited);
        (self.has_changed, self.is_awaited) = (false, false);
    }

    /// Restores the terminal and stops the program until it gets SIGCONT.
    fn suspend(&mut self, stdout: &mut Stdout) {
        self.leave(stdout);
        // Cannot fail: a program may send signals to itself, and SIGSTOP cannot be blocked.
        let _ = kill_process(getpid(), ProcessSignal::STOP);
    }

    /// Takes over the terminal again. The shell may have used it, even if this program was stopped without notice.
    fn resume(&mut self, stdout: &mut Stdout) {
        terminal::restore_modes();
        match terminal::enter() {
            Ok(bytes) => {
                diagnostics::hold();
                self.redraw(&bytes, stdout);
            }
            Err(error) => log::warn!("{error:#}"),
        }
    }

    /// Draws the whole frame again after `clear`, the bytes that clear the screen.
    fn redraw(&mut self, clear: &[u8], stdout: &mut Stdout) {
        self.canvas.forget();
        stdout.bytes(clear);
        (self.has_changed, self.is_awaited) = (true, true);
    }
}

impl Face for Dashboard {
    fn notice(&mut self, unix_ns: i64, Notice { kind, message }: &Notice, _: &mut Stdout) {
        self.tui.notice(unix_ns, message);
        if *kind == Recorder::NOTICE {
            self.farewell.push(LinesView.notice(unix_ns, kind, message));
        }
        self.mark_changed();
    }

    fn row(&mut self, row: &Row, _: &mut Stdout) {
        self.tui.row(row);
        self.mark_changed();
    }

    fn work<'a>(&'a mut self, stdout: &'a mut Stdout) -> Work<'a> {
        Box::pin(async move {
            let is_busy = stdout.is_busy();
            tokio::select! {
                closed = stdout.closed() => return Some(Ending::of_stdout(closed)),
                wake = self.wake(is_busy) => {
                    if self.handle(wake, stdout) {
                        return Some(Ending::Asked);
                    }
                }
            }
            None
        })
    }

    fn summary(&self, conclusion: &Conclusion, stdout: &mut Stdout) {
        stdout.text(&ended_watch_line(conclusion.about));
        stdout.text(&LinesView.summary(conclusion));
        if let Some(since) = self.tui.since_reset(conclusion.snapshot) {
            stdout.text(&format!("{since}\n"));
        }
        self.farewell.iter().for_each(|notice| stdout.text(notice));
    }

    /// Queues a snapshot, unless the last one is too fresh: a replay at full speed produces more than anyone can see.
    fn snapshot(&mut self, snapshot: Snapshot) {
        let now = Instant::now();
        let is_too_soon = self.last_arranged.is_some_and(|last| now - last < INTERVAL);
        if is_too_soon && !self.tui.has_ended() {
            self.tui.skip(&snapshot);
            return;
        }
        self.last_arranged = Some(now);
        if let Some(earlier) = self.pending.replace(snapshot) {
            self.tui.skip(&earlier);
        }
    }

    fn activity_queries(&self) -> Vec<ActivityQuery> {
        self.tui.activity_queries()
    }

    fn activity(&mut self, query: &ActivityQuery, activity: Option<Activity>) {
        self.tui.activity(query, activity);
    }

    fn is_live(&self) -> bool {
        true
    }

    fn shows_notices(&self) -> bool {
        terminal::is_entered()
    }

    fn stay(&mut self) -> bool {
        self.tui.mark_ended();
        self.has_changed = true;
        true
    }

    fn leave(&mut self, stdout: &mut Stdout) {
        let Some(bytes) = terminal::leave() else { return };
        stdout.bytes(&bytes);
        let deadline = Instant::now() + LEAVE_TIMEOUT;
        while stdout.is_busy() && Instant::now() < deadline {
            stdout.flush();
            thread::sleep(Duration::from_millis(1));
        }
        terminal::restore_modes();
        log::debug!("snapshots arranged: {}; frames drawn: {}", self.arranging, self.drawing);
        // A blocked terminal would block the diagnostics too, and the watch has to end.
        if !stdout.is_busy() {
            diagnostics::release();
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        terminal::restore_now();
    }
}
