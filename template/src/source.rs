//! The boundary to the outside: somebody who knows Consul, Vault and the servers answers for dependencies.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::data::Data;
use crate::dependency::Dependency;

/// Where templates get their data. One task has one source, because tokens and namespaces are a task's own; what can be shared between
/// tasks is shared behind it: **one watcher per distinct dependency**, started by the first subscription and stopped after the last.
pub trait Source: Send + Sync + fmt::Debug {
    /// Joins or starts the watcher of `dependency`. It returns at once; data come through the subscription.
    fn subscribe(&self, dependency: &Dependency) -> Subscription;

    /// As [`subscribe`](Self::subscribe), for a certificate, with the bytes of the file that the template last wrote: a certificate in
    /// them that is not yet due may be used again, so that a restarted client does not re-issue every certificate.
    fn subscribe_certificate(&self, dependency: &Dependency, previous: &[u8]) -> Subscription {
        let _ = previous;
        self.subscribe(dependency)
    }
}

/// What a watcher last saw. Dropping it leaves the watcher; a watcher notices with [`watch::Sender::closed`].
pub type Subscription = watch::Receiver<Observed>;

/// The state of one dependency. A failure does not take the last value away.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The newest value; `None` until the first answer.
    pub data: Option<Arc<Data>>,
    /// Why the newest attempt failed; `None` while all is well.
    pub error: Option<SourceError>,
}

impl Observed {
    /// A value that just arrived.
    pub fn data(data: Data) -> Self {
        Self { data: Some(Arc::new(data)), error: None }
    }
}

/// A failed attempt. The text is shown to users: it must not contain tokens or secret values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SourceError {
    /// What failed and why.
    pub text: String,
    /// True when no later attempt can succeed (a file that does not exist, a malformed request): the render fails instead of waiting.
    pub is_final: bool,
}

impl SourceError {
    /// A failure that is retried by the source.
    pub fn retried(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_final: false }
    }

    /// A failure that stays.
    pub fn permanent(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_final: true }
    }
}
