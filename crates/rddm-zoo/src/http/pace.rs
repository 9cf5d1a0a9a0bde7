use std::time::{Duration, Instant};

/// Finds transfers that do not stand still and do not get anywhere either.
pub(crate) struct Pace {
    window: Duration,
    least: u64,
    since: Instant,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(window: Duration, speed: u64) -> Self {
        Self { window, least: speed * window.as_secs().max(1), since: Instant::now(), bytes: 0 }
    }

    pub(crate) fn is_too_slow(&mut self, count: usize) -> bool {
        self.bytes += count as u64;
        if self.since.elapsed() < self.window {
            return false;
        }
        let slow = self.bytes < self.least;
        self.since = Instant::now();
        self.bytes = 0;
        slow
    }
}
