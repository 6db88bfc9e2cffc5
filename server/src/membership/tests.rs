//! Ids as people know them, and what a server sees of others.

use drover_model::time::UnixNanos;

use super::{
    messages::Introduction,
    parse,
    roster::{Roster, Standing},
    show,
};
use crate::consensus::Peer;

#[test]
fn ids_are_uuids_to_people() {
    for id in [1, 0x1234_5678_9abc_def0, u64::MAX] {
        assert_eq!(show(id).len(), 36);
        assert_eq!(parse(&show(id)), Some(id), "{}", show(id));
    }
    for text in ["", "nope", "5", "f2441227-4918-c8f9-16d9-c08476c4c22c", "zzzzzzzz-0000-0000-0000-000000000000"] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_has_failed_until_it_does() {
    let roster = Roster::default();
    assert_eq!(roster.standing(7), Standing::Alive, "one that was never asked");
    let here = Introduction { id: 7, name: "s7".into(), ..Introduction::default() };
    roster.note(7, Some(here.clone()), None, UnixNanos(1));
    for (round, want) in [(2, Standing::Alive), (3, Standing::Alive), (4, Standing::Failed), (5, Standing::Failed)] {
        tokio::time::advance(super::PAUSE).await;
        roster.note(7, None, None, UnixNanos(round));
        assert_eq!(roster.standing(7), want, "round {round}");
    }
    let seen = roster.get(7).unwrap();
    assert_eq!((seen.lasts(), seen.since_time), (super::PAUSE, UnixNanos(4)));
    assert_eq!(seen.introduction.unwrap().name, "s7", "what it said is still known");
    roster.note(7, Some(here), None, UnixNanos(9));
    assert_eq!(roster.standing(7), Standing::Alive);
    let peer = Peer { id: 7, ..Peer::default() };
    roster.keep(&[]);
    assert!(roster.get(7).is_none());
    roster.left(peer.clone());
    roster.left(peer.clone());
    assert_eq!(roster.those_who_left(), std::slice::from_ref(&peer));
    roster.keep(&[peer]);
    assert!(roster.those_who_left().is_empty(), "it has come back");
}

#[test]
fn gossip_knows_better_who_is_there_but_whoever_answers_is() {
    use crate::gossip::Verdict::{Alive, Down};
    let here = Introduction { id: 7, name: "s7".into(), ..Introduction::default() };
    for (name, answers, verdict, rounds, want) in [
        ("the way to it is broken for this server alone", false, Some(Alive), 9, Standing::Alive),
        ("it is down", false, Some(Down), 1, Standing::Failed),
        ("only gossip is cut off", true, Some(Down), 9, Standing::Alive),
        ("it has just gone silent", false, None, 2, Standing::Alive),
        ("gossip has never heard of it", false, None, 3, Standing::Failed),
    ] {
        let roster = Roster::default();
        for round in 0..rounds {
            roster.note(7, answers.then(|| here.clone()), verdict, UnixNanos(round));
        }
        assert_eq!(roster.standing(7), want, "{name}");
    }
    let roster = Roster::default();
    assert!(roster.is_first_refusal("a") && !roster.is_first_refusal("a"));
    roster.forget_refusal("a");
    assert!(roster.is_first_refusal("a"));
}
