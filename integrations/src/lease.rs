//! When to come back for what does not last.

use std::{sync::Arc, time::Duration};

use drover_model::secret::SecretText;
use drover_runtime::Random;
use futures::future::BoxFuture;

use crate::{Error, Secret, Tokens, secrets::Lease};

pub use held::Held;

mod held;

/// How long a secret without a lease is taken for fresh, when the configuration does not say.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(5 * 60);

/// The shortest time between two renewals: a peer that hands out shorter leases must not be asked without pause.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// The longest pause between two attempts at a renewal that fails.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// When to renew a lease: after two thirds of it, up to a tenth of it earlier, so that many leases taken together do not come back together.
pub fn renew_after(lease: Duration, random: &dyn Random) -> Duration {
    let most = lease * 2 / 3;
    most.saturating_sub(random.jitter(lease / 10)).max(SHORTEST.min(lease))
}

/// When to renew a lease for the first time: somewhere between one and two thirds of it, so that leases which were taken in the same moment (all tasks of a
/// node that starts) have parted before they come back.
pub fn first_renew_after(lease: Duration, random: &dyn Random) -> Duration {
    let most = lease * 2 / 3;
    most.saturating_sub(random.jitter(lease / 3)).max(SHORTEST.min(lease))
}

/// Late in what is left of something that cannot be renewed (85 to 95 %), so that what replaces it comes before it ends.
fn late_in(left: Duration, random: &dyn Random) -> Duration {
    (left * 95 / 100).saturating_sub(random.jitter(left / 10)).max(SHORTEST.min(left))
}

/// When to read a secret again that is not [`Held`].
pub fn read_again_after(secret: &Secret, default: Duration, random: &dyn Random) -> Duration {
    // Nothing ends: the length of the lease is only the server's advice on how often to look.
    let advised = secret.lease.duration;
    let pace = if advised.is_zero() { default } else { advised.min(default) };
    pace.saturating_sub(random.jitter(pace / 10)).max(SHORTEST)
}

/// Why a token is no longer kept alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// It cannot be renewed, and ends in about this time.
    Ends(Duration),
    /// The peer no longer accepts it.
    Refused(Error),
}

/// Keeps a token alive for as long as the peer lets it, through outages of the peer. Returns when another token is needed; drop the future to stop.
pub async fn keep_alive(tokens: Arc<dyn Tokens>, token: SecretText, mut lease: Lease, random: Arc<dyn Random>) -> Lapse {
    if lease.duration.is_zero() {
        std::future::pending::<()>().await;
    }
    let mut is_first = true;
    loop {
        if !lease.renewable {
            return wait_for_end(lease.duration, &*random).await;
        }
        let is_first = std::mem::take(&mut is_first);
        let pause = if is_first { first_renew_after(lease.duration, &*random) } else { renew_after(lease.duration, &*random) };
        tokio::time::sleep(pause).await;
        let left = lease.duration.saturating_sub(pause);
        let told = |error: &Error| tracing::warn!(%error, "a token could not be renewed yet");
        match renew_until(&|| tokens.renew(&token), left, &*random, &told).await {
            // A peer that grants less and less is at the token's maximum: a new one is due.
            Ok(granted) if granted.duration <= SHORTEST => return Lapse::Ends(granted.duration),
            Ok(granted) => lease = granted,
            Err(Error::Unsupported { .. }) => return wait_for_end(left, &*random).await,
            Err(error) => return Lapse::Refused(error),
        }
    }
}

/// Sleeps through most of the rest of a token's life.
async fn wait_for_end(left: Duration, random: &dyn Random) -> Lapse {
    let pause = renew_after(left, random);
    tokio::time::sleep(pause).await;
    Lapse::Ends(left.saturating_sub(pause))
}

/// Tries to renew until it succeeds, is refused, or what is to be renewed has ended.
async fn renew_until<'a>(
    renew: &(dyn Fn() -> BoxFuture<'a, crate::Result<Lease>> + Sync),
    left: Duration,
    random: &dyn Random,
    told: &(dyn Fn(&Error) + Sync),
) -> Result<Lease, Error> {
    let end = tokio::time::Instant::now() + left;
    let mut backoff = SHORTEST;
    loop {
        match renew().await {
            Err(error) if error.is_transient() && tokio::time::Instant::now() < end => {
                told(&error);
                tokio::time::sleep(backoff / 2 + random.jitter(backoff / 2)).await;
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests;
