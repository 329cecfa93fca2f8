//! When frames are drawn: at most ten a second and evenly spaced, which makes a held key scroll steadily. Frames that
//! answer no key take at most five of the ten, and the first key is answered at once.

use std::time::Duration;

use tokio::time::Instant;

/// Minimum time between frames that answer keys.
const KEY_INTERVAL: Duration = Duration::from_millis(100);

/// Minimum time between frames that answer no key.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(super) struct FrameRate {
    /// When the last frame was drawn.
    drawn: Option<Instant>,
    /// When the last frame that answered a key was drawn.
    answered: Option<Instant>,
}

impl FrameRate {
    /// When the next frame may be drawn. `is_awaited`: a key was pressed.
    pub(super) fn due(&self, now: Instant, is_awaited: bool) -> Instant {
        let (last, interval) = if is_awaited { (self.answered, KEY_INTERVAL) } else { (self.drawn, INTERVAL) };
        last.map_or(now, |last| now.max(last + interval))
    }

    pub(super) fn drew(&mut self, now: Instant, was_awaited: bool) {
        self.drawn = Some(now);
        if was_awaited {
            self.answered = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When frames are drawn, in milliseconds, if keys are pressed at these times and the picture changes all the time.
    fn drawn(keys: &[u64], until: u64) -> Vec<u64> {
        let begin = Instant::now();
        let mut pacing = FrameRate::default();
        let mut is_awaited = false;
        let mut drawn = Vec::new();
        for at in 0..until {
            let now = begin + Duration::from_millis(at);
            is_awaited |= keys.contains(&at);
            if pacing.due(now, is_awaited) <= now {
                pacing.drew(now, is_awaited);
                is_awaited = false;
                drawn.push(at);
            }
        }
        drawn
    }

    #[test]
    fn held_key_is_answered_at_a_steady_rate() {
        // Keyboards repeat a held key 30 times a second.
        let keys: Vec<u64> = (0..60).map(|n| n * 33).collect();
        let frames = drawn(&keys, 1_900);
        assert!(frames.windows(2).all(|two| (100..=133).contains(&(two[1] - two[0]))), "{frames:?}");
    }

    #[test]
    fn first_key_is_answered_at_once_and_other_changes_get_five_frames_a_second() {
        assert_eq!(drawn(&[], 1_000), [0, 200, 400, 600, 800]);
        assert_eq!(drawn(&[201, 202, 499], 1_000), [0, 200, 201, 301, 499, 699, 899]);
    }

    #[test]
    fn frame_rate_is_at_most_ten_a_second_plus_an_immediate_answer() {
        for step in 1..300 {
            let keys: Vec<u64> = (0..4_000).step_by(step).collect();
            let frames = drawn(&keys, 4_000);
            let most = frames.iter().map(|from| frames.iter().filter(|at| (*from..from + 1_000).contains(at)).count());
            assert!(most.max() <= Some(11), "a key every {step} ms: {frames:?}");
        }
    }
}
