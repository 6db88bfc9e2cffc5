//! The time of day.

use std::fmt;

use drover_model::time::UnixNanos;

/// Tells the time of day. It may jump; what must not is measured with `tokio::time`.
pub trait Clock: Send + Sync + fmt::Debug {
    fn now(&self) -> UnixNanos;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> UnixNanos {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixNanos(drover_model::time::nanos_of(since))
    }
}
