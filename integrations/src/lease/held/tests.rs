use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use drover_runtime::OsRandom;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::time::Instant;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn secret(seconds: u64, renewable: bool) -> Secret {
    let data = Map::from_iter([("password".to_owned(), json!("s3cret"))]);
    let lease = Lease { duration: Duration::from_secs(seconds), renewable };
    Secret { lease_id: "database/creds/app/1".into(), request_id: "r".into(), lease, data, ..Secret::default() }
}

/// Grants renewals as a list says, and the same lease as ever after its end; counts them by the second.
#[derive(Debug)]
struct Peer {
    script: Mutex<Vec<crate::Result<Lease>>>,
    begun: Instant,
    seconds: Mutex<Vec<u32>>,
}

impl Peer {
    fn new(script: Vec<crate::Result<Lease>>) -> Self {
        Self { script: Mutex::new(script), begun: Instant::now(), seconds: Mutex::default() }
    }

    fn count(&self) {
        let second = usize::try_from(self.begun.elapsed().as_secs()).unwrap();
        let mut seconds = self.seconds.lock().unwrap();
        if seconds.len() <= second {
            seconds.resize(second + 1, 0);
        }
        seconds[second] += 1;
    }
}

impl Secrets for Peer {
    fn read<'a>(&'a self, _: &'a str, _: Option<u64>) -> BoxFuture<'a, crate::Result<Option<Secret>>> {
        unreachable!("only renewals are asked for")
    }
    fn write<'a>(&'a self, _: &'a str, _: &'a BTreeMap<String, String>) -> BoxFuture<'a, crate::Result<Option<Secret>>> {
        unreachable!("only renewals are asked for")
    }
    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, crate::Result<Vec<String>>> {
        unreachable!("only renewals are asked for")
    }
    fn renew<'a>(&'a self, _: &'a str, increment: Duration) -> BoxFuture<'a, crate::Result<Lease>> {
        self.count();
        let mut script = self.script.lock().unwrap();
        let next = if script.is_empty() { Ok(Lease { duration: increment, renewable: true }) } else { script.remove(0) };
        Box::pin(std::future::ready(next))
    }
    fn revoke<'a>(&'a self, _: &'a str) -> BoxFuture<'a, crate::Result<()>> {
        unreachable!("only renewals are asked for")
    }
}

fn refused(status: u16) -> Error {
    Error::Refused { peer: "Vault".into(), call: "the renewal of a lease".into(), status, message: String::new() }
}

fn granted(seconds: u64) -> crate::Result<Lease> {
    Ok(Lease { duration: Duration::from_secs(seconds), renewable: true })
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_kept_through_outages_until_another_secret_is_due() {
    for (name, seconds, script, renewals, failures) in [
        ("renewed, then known no more", 60, vec![granted(60), Err(refused(400))], 1, 0),
        ("away for a moment", 60, vec![Err(refused(503)), Err(refused(503)), granted(60), Err(refused(403))], 1, 2),
        ("less and less", 60, vec![granted(50), granted(20)], 1, 0),
        ("away until the end", 60, (0..100).map(|_| Err(refused(503))).collect(), 0, 3),
    ] {
        let (peer, begun) = (Peer::new(script), Instant::now());
        let failed = Mutex::new(0);
        let mut held = Held::of(&secret(seconds, true)).unwrap();
        let mut times = 0;
        while held.renewed(&peer, &OsRandom, &|_| *failed.lock().unwrap() += 1).await {
            times += 1;
        }
        assert_eq!(times, renewals, "{name}");
        let failed = failed.into_inner().unwrap();
        assert!(failed >= failures, "{name}: {failed}");
        if renewals == 0 {
            assert!(begun.elapsed() >= MINUTE && begun.elapsed() < MINUTE * 2, "{name}: {:?}", begun.elapsed());
        }
    }
    assert_eq!(Held::of(&Secret { lease_id: String::new(), ..secret(60, true) }), None, "what is not lent is not held");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_renewed_is_replaced_late_in_its_life() {
    let (peer, begun) = (Peer::new(Vec::new()), Instant::now());
    assert!(!Held::of(&secret(60, false)).unwrap().renewed(&peer, &OsRandom, &|_| {}).await);
    assert!(begun.elapsed() >= MINUTE * 85 / 100 && begun.elapsed() <= MINUTE * 96 / 100, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_leases_of_a_minute_come_back_evenly() {
    let peer = Arc::new(Peer::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let peer = Arc::clone(&peer);
        tasks.spawn(async move {
            let mut held = Held::of(&secret(60, true)).unwrap();
            while held.renewed(&*peer, &OsRandom, &|_| {}).await {}
        });
    }
    tokio::time::sleep(MINUTE * 10).await;
    drop(tasks);
    let seconds = peer.seconds.lock().unwrap();
    let (average, peak) = (f64::from(seconds.iter().sum::<u32>()) / 600.0, seconds.iter().copied().max().unwrap());
    assert!((20.0..=30.0).contains(&average) && peak <= 100, "{average:.1} renewals a second on average, {peak} at most");
}

#[test]
fn what_is_kept_is_read_back_by_its_own_token_until_it_ends() {
    let (token, now) = (SecretText::new("token"), UnixNanos(1_000_000_000_000));
    let held = Held::of(&secret(60, true)).unwrap();
    let file = held.to_file(&token, now).unwrap();
    assert!(!file.expose().contains("\"token\":\"token\""), "the token itself is not in it");
    let read = |token: &str, after: i64| {
        let later = UnixNanos(now.0 + after * 1_000_000_000);
        Held::from_file(file.expose().as_bytes(), &SecretText::new(token), later)
    };
    assert_eq!(read("token", 0), Some(held.clone()));
    assert_eq!(read("token", 45).unwrap().left, Duration::from_secs(15));
    assert_eq!(read("token", -3600).unwrap().left, MINUTE, "a clock that was put back");
    assert_eq!(read("token", 60), None, "it has ended");
    assert_eq!(read("another", 0), None);
    for text in ["", "{}", "not json", &file.expose().replace("\"version\":1", "\"version\":2")] {
        assert_eq!(Held::from_file(text.as_bytes(), &token, now), None, "{text}");
    }
    let with_token = Secret { auth: Some(crate::secrets::SecretAuth::default()), ..secret(60, true) };
    assert_eq!(Held::of(&with_token).unwrap().to_file(&token, now), None, "tokens are not kept here");
}
