//! Those who follow the log from outside: any number, each with a level of its own. While there is none, nothing is gathered for them.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use drover_runtime::{Clock, RealClock};
use tokio::sync::broadcast::{self, error::RecvError};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::Context, reload};

use super::{
    filter, of_others,
    record::{Form, Record},
};
use crate::config::LogLevel;

/// Lines that a listener may be behind; what it then misses is counted.
const BACKLOG: usize = 1024;

/// Of this process, as its log is.
pub(super) static LISTENERS: LazyLock<Listeners> = LazyLock::new(Listeners::new);

pub(super) struct Listeners {
    records: broadcast::Sender<Arc<Record>>,
    wanted: Mutex<Wanted>,
}

#[derive(Default)]
struct Wanted {
    /// How many listen at which level.
    levels: BTreeMap<LogLevel, usize>,
    /// What is gathered for them; none until the log is set up.
    filter: Option<reload::Handle<EnvFilter, Registry>>,
}

impl Wanted {
    /// The most talkative level of all of them.
    fn apply(&self) {
        let level = self.levels.keys().next().copied().unwrap_or(LogLevel::Off);
        if let Some(handle) = &self.filter {
            let _ = handle.reload(filter(level));
        }
    }
}

impl Listeners {
    fn new() -> Self {
        Self { records: broadcast::channel(BACKLOG).0, wanted: Mutex::default() }
    }

    pub(super) fn set_filter(&self, handle: reload::Handle<EnvFilter, Registry>) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).filter = Some(handle);
    }

    /// Begins to listen, with lines of this form.
    pub(super) fn listen(&'static self, level: LogLevel, form: Form) -> Listener {
        let records = self.records.subscribe();
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *wanted.levels.entry(level).or_insert(0) += 1;
        wanted.apply();
        Listener { of: self, records, level, form }
    }

    fn leave(&self, level: LogLevel) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = wanted.levels.get_mut(&level) {
            *count -= 1;
            if *count == 0 {
                wanted.levels.remove(&level);
            }
        }
        wanted.apply();
    }
}

/// Passes events on to whoever listens.
pub(super) struct Tap;

impl<S: Subscriber> Layer<S> for Tap {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if LISTENERS.records.receiver_count() > 0 {
            let _ = LISTENERS.records.send(Arc::new(Record::new(event, RealClock.now())));
        }
    }
}

/// One who follows the log.
pub(crate) struct Listener {
    of: &'static Listeners,
    records: broadcast::Receiver<Arc<Record>>,
    level: LogLevel,
    form: Form,
}

impl Listener {
    /// The next line with its end; lines that were lost because nobody took them in time are counted in one of their own. None when the process ends.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            let record = match self.records.recv().await {
                Ok(record) if self.wants(&record) => record,
                Ok(_) => continue,
                Err(RecvError::Lagged(lost)) => {
                    let text = format!("{lost} lines of the log are missing here: they came faster than they were taken");
                    Arc::new(Record::said(Level::WARN, text, RealClock.now()))
                }
                Err(RecvError::Closed) => return None,
            };
            let mut line = String::new();
            let _ = record.write(self.form, &mut line);
            return Some(line);
        }
    }

    /// Others may want more than this one.
    fn wants(&self, record: &Record) -> bool {
        let is_own = super::OWN.iter().any(|name| record.target.starts_with(name));
        let level = if is_own { self.level } else { of_others(self.level) };
        level.tracing().is_some_and(|most| record.level <= most)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.of.leave(self.level);
    }
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::logging::tests::SUBSCRIBED;

    const OWN: &str = "drover_agent::test";

    /// One test, because listeners belong to the process.
    #[tokio::test]
    async fn everybody_hears_what_they_asked_for_and_how_much_they_missed() {
        let _alone = SUBSCRIBED.lock().await;
        let (off, handle) = reload::Layer::new(filter(LogLevel::Off));
        let subscriber = tracing_subscriber::registry().with(Tap.with_filter(off));
        LISTENERS.set_filter(handle.clone());
        // Not `enabled!`, whose answer may still count subscribers that have gone.
        let gathered = || handle.with_current(EnvFilter::max_level_hint).unwrap();
        let _guard = tracing::subscriber::set_default(subscriber);
        tracing::error!(target: OWN, "before anybody listens");

        let form = Form { json: false, location: false };
        let mut all = LISTENERS.listen(LogLevel::Debug, form);
        let mut grave = LISTENERS.listen(LogLevel::Warn, Form { json: true, ..form });
        tracing::debug!(target: OWN, count = 1, "small");
        tracing::warn!(target: OWN, "large");
        tracing::trace!(target: OWN, "nobody wants this");
        tracing::info!(target: "hyper", "of others only warnings");
        assert_eq!(gathered(), Some(LevelFilter::DEBUG));
        let lines = [all.line().await.unwrap(), all.line().await.unwrap()];
        assert!(lines[0].ends_with("[DEBUG] agent.test: small: count=1\n") && lines[1].contains("large"), "{lines:?}");
        let heard: serde_json::Value = serde_json::from_str(&grave.line().await.unwrap()).unwrap();
        assert_eq!((heard["@level"].as_str(), heard["@message"].as_str()), (Some("warn"), Some("large")));

        drop(all);
        assert_eq!(gathered(), Some(LevelFilter::WARN), "nobody listens for more any longer");
        for number in 0..BACKLOG + 5 {
            tracing::warn!(target: OWN, number, "more");
        }
        assert!(grave.line().await.unwrap().contains("5 lines of the log are missing here"));
        assert!(grave.line().await.unwrap().contains("\"number\":5"));
        drop(grave);
        assert_eq!(gathered(), Some(LevelFilter::OFF), "nobody listens");
    }
}
