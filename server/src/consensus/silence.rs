//! When another server does not answer: said once, and once more when it does again.

use std::time::Duration;

use tokio::time::Instant;

use super::types::ServerNode;

/// Shorter ones are a restart's, or those of a machine under load.
const WORTH_SAYING: Duration = Duration::from_secs(1);

/// What this server has heard of one that it keeps asking.
#[derive(Debug)]
pub(super) struct Silence {
    name: String,
    address: String,
    /// The first call without an answer since the last that had one.
    since: Option<Instant>,
    /// Of the newest call that failed. One that is given up says nothing.
    why: Option<String>,
    said: bool,
}

impl Silence {
    pub(super) fn new(of: &ServerNode) -> Self {
        Self { name: of.name.clone(), address: of.addr.clone(), since: None, why: None, said: false }
    }

    /// A call begins. It may be given up before it ends.
    pub(super) fn asked(&mut self) {
        if let Some(lasts) = self.begin(Instant::now()) {
            let why = self.why.as_deref().unwrap_or("no answer");
            tracing::warn!(
                name = self.name,
                address = self.address,
                ?lasts,
                error = why,
                "a server does not answer; it is asked on and on"
            );
        }
    }

    pub(super) fn failed(&mut self, why: String) {
        self.why = Some(why);
    }

    pub(super) fn answered(&mut self) {
        if let Some(lasted) = self.end(Instant::now()) {
            tracing::info!(name = self.name, address = self.address, ?lasted, "a server answers again");
        }
    }

    /// How long the silence lasts, when that is to be said.
    fn begin(&mut self, now: Instant) -> Option<Duration> {
        let lasts = now.duration_since(*self.since.get_or_insert(now));
        (lasts >= WORTH_SAYING && !std::mem::replace(&mut self.said, true)).then_some(lasts)
    }

    /// How long it was, when it was said.
    fn end(&mut self, now: Instant) -> Option<Duration> {
        self.why = None;
        let since = self.since.take()?;
        std::mem::take(&mut self.said).then(|| now.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_silence_is_said_and_only_once() {
        let mut silence = Silence::new(&ServerNode::default());
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(silence.begin(begun), None, "it may answer");
        assert_eq!(silence.end(begun + WORTH_SAYING / 2), None, "it did");
        assert_eq!(silence.begin(after(10)), None, "counted anew");
        assert_eq!(silence.begin(after(11)), Some(Duration::from_secs(1)));
        assert_eq!(silence.begin(after(12)), None, "it was said");
        assert_eq!(silence.end(after(70)), Some(Duration::from_secs(60)));
        assert_eq!(silence.end(after(71)), None);
    }
}
