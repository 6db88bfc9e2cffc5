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
fn what_is_not_lent_is_read_again_at_the_default_pace_or_as_advised() {
    for (seconds, least, most) in [(0, 270, 300), (3600, 270, 300), (60, 54, 60)] {
        let lease = Lease { duration: Duration::from_secs(seconds), renewable: false };
        let after = read_again_after(&Secret { lease, ..Secret::default() }, DEFAULT_LEASE, &OsRandom).as_secs();
        assert!((least..=most).contains(&after), "{seconds}: {after}");
    }
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
    assert!(after > HOUR * 4 / 3, "three renewals: {after:?}");
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

/// A thousand tasks of one node, all started in the same moment, each with a token of one minute, and a peer that counts.
#[derive(Debug, Default)]
struct Counting {
    /// Renewals in each second since the start.
    seconds: Mutex<Vec<u32>>,
    begun: Option<tokio::time::Instant>,
    /// From which second until which one it answers nothing but errors.
    away: std::ops::Range<usize>,
}

impl Tokens for Counting {
    fn login<'a>(&'a self, _: &'a Login) -> BoxFuture<'a, crate::Result<Token>> {
        unreachable!("only renewals are counted")
    }
    fn lookup<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, crate::Result<TokenInfo>> {
        unreachable!("only renewals are counted")
    }
    fn renew<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, crate::Result<Lease>> {
        let second = usize::try_from(self.begun.unwrap().elapsed().as_secs()).unwrap();
        let mut seconds = self.seconds.lock().unwrap();
        if seconds.len() <= second {
            seconds.resize(second + 1, 0);
        }
        seconds[second] += 1;
        let answer = if self.away.contains(&second) { Err(error(503)) } else { Ok(MINUTE) };
        Box::pin(std::future::ready(answer))
    }
    fn revoke<'a>(&'a self, _: &'a SecretText) -> BoxFuture<'a, crate::Result<()>> {
        unreachable!("only renewals are counted")
    }
}

const MINUTE: Lease = Lease { duration: Duration::from_secs(60), renewable: true };
const TASKS: u32 = 1_000;
/// What is promised of a node with that many tokens of a minute: renewals in a second on average, and in any second.
const AVERAGE: f64 = 30.0;
const PEAK: u32 = 100;

/// Renewals in each second of some minutes.
async fn counted(away: std::ops::Range<usize>) -> Vec<u32> {
    let peer = Arc::new(Counting { begun: Some(tokio::time::Instant::now()), away, ..Counting::default() });
    let tasks: tokio::task::JoinSet<Lapse> =
        (0..TASKS).map(|_| keep_alive(Arc::clone(&peer) as Arc<dyn Tokens>, SecretText::new("t"), MINUTE, Arc::new(OsRandom))).collect();
    tokio::time::sleep(Duration::from_secs(600)).await;
    drop(tasks);
    std::mem::take(&mut *peer.seconds.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tokens_of_a_minute_come_back_evenly() {
    let seconds = counted(0..0).await;
    let average = f64::from(seconds.iter().sum::<u32>()) / 600.0;
    let peak = seconds.iter().copied().max().unwrap();
    assert!((20.0..=AVERAGE).contains(&average) && peak <= PEAK, "{average:.1} renewals a second on average, {peak} at most");
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_end_in_a_storm() {
    // Shorter than what is left of a token when it is due.
    let seconds = counted(300..315).await;
    let peak = seconds.iter().copied().max().unwrap();
    assert!(peak <= 2 * PEAK, "{peak}");
    assert!(seconds.iter().sum::<u32>() > 10_000, "all of them go on");
}
