//! One template, once: for the command line.

use std::sync::Arc;

use crate::engine::{Environment, Error, Options, Pass};
use crate::host::Host;
use crate::limits::PASSES_PER_WAKE;
use crate::source::{Source, SourceError};

use super::Clock;
use super::watch::Watches;

/// Why a single render failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnceError {
    #[error(transparent)]
    Template(#[from] Error),
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Each pass asked for something new that was there at once.
    #[error("the template still asks for new data after {PASSES_PER_WAKE} passes")]
    Endless,
}

/// Renders a template as soon as all its data are there. It waits for as long as they are not: the caller sets the limit. Without a `host`
/// templates cannot ask the machine (`plugin`, `sockaddr`).
pub async fn render_once(
    text: &str,
    options: &Options,
    environment: &Environment,
    source: Arc<dyn Source>,
    clock: &Clock,
    host: Option<&Arc<dyn Host>>,
) -> Result<Vec<u8>, OnceError> {
    let compiled = options.language.engine().compile(text, options)?;
    let mut watches = Watches::new(source);
    let mut passes = 0;
    loop {
        let outcome = compiled.render(&Pass { view: watches.view(), environment, now: clock(), host })?;
        if let Some(text) = outcome.text {
            return Ok(text);
        }
        let mut arrived = watches.subscribe(&outcome.used, None)?;
        passes += 1;
        if arrived && passes >= PASSES_PER_WAKE {
            return Err(OnceError::Endless);
        }
        while !arrived {
            passes = 0;
            let Some(dependency) = watches.changed().await else { continue };
            let update = watches.take_update(&dependency);
            if let Some(error) = update.error.filter(|error| error.is_final) {
                return Err(error.into());
            }
            arrived = update.is_new;
        }
    }
}
