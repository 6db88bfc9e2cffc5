//! A clock that follows virtual time.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use drover_model::time::{UnixNanos, nanos_of};
use tokio::time::Instant;

use crate::clock::Clock;

/// Shows a base time plus the virtual time that has passed: the whole simulation's inside of turmoil, else since the clock was made.
#[derive(Debug)]
pub struct SimClock {
    base: UnixNanos,
    started: Instant,
    skew_nanos: AtomicI64,
}

impl SimClock {
    pub fn new(base: UnixNanos) -> Self {
        Self { base, started: Instant::now(), skew_nanos: AtomicI64::new(0) }
    }

    /// Sets how far this host's clock is off (in nanoseconds, before or after).
    pub fn set_skew(&self, nanos: i64) {
        self.skew_nanos.store(nanos, Ordering::SeqCst);
    }

    fn elapsed(&self) -> Duration {
        turmoil::sim_elapsed().unwrap_or_else(|| self.started.elapsed())
    }
}

impl Clock for SimClock {
    fn now(&self) -> UnixNanos {
        let elapsed = nanos_of(self.elapsed()).saturating_add(self.skew_nanos.load(Ordering::SeqCst));
        UnixNanos(self.base.0.saturating_add(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn follows_virtual_time_and_its_skew() {
        let clock = SimClock::new(UnixNanos(1_000));
        assert_eq!(clock.now(), UnixNanos(1_000));
        tokio::time::advance(Duration::from_nanos(5_000_000)).await;
        assert_eq!(clock.now(), UnixNanos(5_001_000));
        clock.set_skew(-1_000);
        assert_eq!(clock.now(), UnixNanos(5_000_000));
    }
}
