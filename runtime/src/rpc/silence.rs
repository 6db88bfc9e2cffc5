//! When one that is asked again and again does not answer: what the log shall have of it.

use std::time::Duration;

use tokio::time::Instant;

/// Shorter ones are a restart's, or those of a machine under load.
const WORTH_SAYING: Duration = Duration::from_secs(1);
/// Before it is said again.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// For how long there has been no answer. It is said after a second, then once a minute, and when it is over.
#[derive(Debug, Default)]
pub struct Silence {
    /// The first call without an answer since the last that had one.
    since: Option<Instant>,
    /// Of the newest call that failed. One that is given up says nothing.
    why: Option<String>,
    said: Option<Instant>,
}

impl Silence {
    /// A call begins; it may be given up before it ends. For how long there has been no answer and why, when that is to be said.
    pub fn asked(&mut self) -> Option<(Duration, &str)> {
        let now = Instant::now();
        let lasts = now.duration_since(*self.since.get_or_insert(now));
        if lasts < WORTH_SAYING || self.said.is_some_and(|said| now.duration_since(said) < SAY_AGAIN) {
            return None;
        }
        self.said = Some(now);
        Some((lasts, self.why.as_deref().unwrap_or("no answer")))
    }

    pub fn failed(&mut self, why: impl Into<String>) {
        self.why = Some(why.into());
    }

    /// How long there was no answer, when that was said.
    pub fn answered(&mut self) -> Option<Duration> {
        let ended = std::mem::take(self);
        ended.said?;
        ended.since.map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_long_silence_is_said_and_seldom() {
        let pass = async |seconds| tokio::time::advance(Duration::from_secs_f64(seconds)).await;
        let mut silence = Silence::default();
        assert_eq!(silence.asked(), None, "it may answer");
        pass(0.5).await;
        assert_eq!(silence.asked(), None);
        assert_eq!(silence.answered(), None, "it was short");
        pass(10.0).await;
        assert_eq!(silence.asked(), None, "counted anew");
        pass(1.0).await;
        assert_eq!(silence.asked(), Some((Duration::from_secs(1), "no answer")));
        silence.failed("refused");
        pass(59.0).await;
        assert_eq!(silence.asked(), None, "it was said");
        pass(1.0).await;
        assert_eq!(silence.asked(), Some((Duration::from_secs(61), "refused")));
        pass(9.0).await;
        assert_eq!(silence.answered(), Some(Duration::from_secs(70)));
        assert_eq!(silence.answered(), None);
    }
}
