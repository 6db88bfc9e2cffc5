//! Points in time as people read them.

use std::time::Duration;

use drover_model::time::UnixNanos;
use drover_runtime::Clock as _;

/// `2026-11-20T22:08:13Z`.
pub(crate) fn date(at: UnixNanos) -> String {
    if at.is_never() { "<none>".to_owned() } else { UnixNanos(at.seconds().saturating_mul(1_000_000_000)).to_string() }
}

/// `3m12s ago`.
pub(crate) fn ago(at: UnixNanos) -> String {
    if at.is_never() {
        return "<none>".to_owned();
    }
    format!("{} ago", span(drover_runtime::RealClock.now().since(at)))
}

/// The two largest units of a duration.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (name, size) in units {
        let count = left / size;
        left %= size;
        if count > 0 || (!parts.is_empty() && parts.len() < 2) {
            parts.push(format!("{count}{name}"));
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m0s"), (3_725, "1h2m"), (90_061, "1d1h")] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
