use std::sync::Mutex;

use drover_runtime::OsRandom;
use futures::future::BoxFuture;

use super::*;
use crate::{
    Token,
    tokens::{Login, TokenInfo},
};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn renewals_come_after_about_two_thirds() {
    for _ in 0..50 {
        let after = renew_after(HOUR, &OsRandom);
        assert!(after <= HOUR * 2 / 3 && after >= HOUR * 2 / 3 - HOUR / 10, "{after:?}");
    }
    assert_eq!(renew_after(Duration::from_secs(1), &OsRandom), SHORTEST);
}

#[test]
fn what_cannot_be_renewed_is_read_again_before_it_ends() {
    let secret = |lease_id: &str, seconds: u64, renewable: bool| Secret {
        lease_id: lease_id.into(),
        lease: Lease { duration: Duration::from_secs(seconds), renewable },
        ..Secret::default()
    };
    let within = |secret: &Secret, least: u64, most: u64| {
        let after = read_again_after(secret, DEFAULT_LEASE, &OsRandom).as_secs();
        assert!((least..=most).contains(&after), "{secret:?}: {after}");
    };
    within(&secret("", 0, false), 270, 300);
    within(&secret("", 3600, false), 270, 300);
    within(&secret("", 60, false), 54, 60);
    within(&secret("database/creds/x", 3600, false), 3060, 3420);
    within(&secret("database/creds/x", 3600, true), 2040, 2400);
}

/// Answers renewals from a list.
#[derive(Debug)]
struct Scripted(Mutex<Vec<crate::Result<Lease>>>);

impl Tokens for Scripted {
    fn login<'a>(&'a self, _: &'a Login) -> BoxFuture<'a, crate::Result<Token>> {
        unreachable!("only renewals are scripted")
    }
    fn lookup<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, crate::Result<TokenInfo>> {
        unreachable!("only renewals are scripted")
    }
    fn renew<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, crate::Result<Lease>> {
        let next = self.0.lock().unwrap().remove(0);
        Box::pin(std::future::ready(next))
    }
    fn revoke<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, crate::Result<()>> {
        unreachable!("only renewals are scripted")
    }
}

async fn kept(script: Vec<crate::Result<Lease>>, lease: Lease) -> (Lapse, Duration) {
    let begun = tokio::time::Instant::now();
    let lapse = keep_alive(Arc::new(Scripted(Mutex::new(script))), SecretText::new("t"), lease, Arc::new(OsRandom)).await;
    (lapse, begun.elapsed())
}

fn lease(renewable: bool) -> Lease {
    Lease { duration: HOUR, renewable }
}

fn error(status: u16) -> Error {
    Error::Refused { peer: "Vault".into(), call: "the renewal".into(), status, message: String::new() }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_through_outages_until_it_is_refused() {
    let script = vec![Ok(lease(true)), Err(error(503)), Err(error(500)), Ok(lease(true)), Err(error(403))];
    let (lapse, after) = kept(script, lease(true)).await;
    assert_eq!(lapse, Lapse::Refused(error(403)));
    assert!(after > HOUR * 3 / 2, "three renewals: {after:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_the_token_ends_it() {
    let (lapse, after) = kept((0..200).map(|_| Err(error(503))).collect(), lease(true)).await;
    assert_eq!(lapse, Lapse::Refused(error(503)));
    assert!(after >= HOUR && after < HOUR + Duration::from_secs(60), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_renewed_is_replaced_in_time() {
    let unsupported = Error::Unsupported { peer: "Vault".into(), what: "the renewal of a token".into() };
    for (script, lease) in [
        (vec![], lease(false)),
        (vec![Err(unsupported)], lease(true)),
        (vec![Ok(Lease { duration: SHORTEST, renewable: true })], lease(true)),
    ] {
        let (lapse, after) = kept(script, lease).await;
        assert!(matches!(lapse, Lapse::Ends(_)), "{lapse:?}");
        assert!(after < HOUR, "{after:?}");
    }
}
