use drover_model::time::Rfc3339;

use super::*;

const NOW: UnixNanos = UnixNanos(1_000_000_000_000);

fn evaluation(number: u8, job: &str, priority: u8) -> Arc<Evaluation> {
    Arc::new(Evaluation {
        id: EvalId::from_random([number; 16]),
        job_id: job.into(),
        priority,
        create_index: u64::from(number),
        ..Evaluation::default()
    })
}

fn broker() -> Arc<Broker> {
    let broker = Arc::new(Broker::default());
    broker.set_enabled(true);
    broker
}

fn number(delivery: &Delivery) -> u64 {
    delivery.evaluation.create_index
}

#[test]
fn by_priority_then_age() {
    let broker = broker();
    for (number, job, priority) in [(1, "a", 50), (2, "b", 90), (3, "c", 50), (4, "d", 10)] {
        broker.enqueue(evaluation(number, job, priority), NOW);
    }
    let order: Vec<_> = std::iter::from_fn(|| broker.try_dequeue()).collect();
    assert_eq!(order.iter().map(number).collect::<Vec<_>>(), [2, 1, 3, 4]);
}

#[test]
fn one_of_a_job_at_a_time_and_the_newest_stands_for_the_others() {
    let broker = broker();
    for number in 1..=4 {
        broker.enqueue(evaluation(number, "web", 50), NOW);
        broker.enqueue(evaluation(number, "web", 50), NOW);
    }
    let first = broker.try_dequeue().unwrap();
    assert!(broker.try_dequeue().is_none());
    assert_eq!(broker.stats(), BrokerStats { ready: 0, outstanding: 1, waiting: 3, delayed: 0 });
    first.ack();
    let next = broker.try_dequeue().unwrap();
    assert_eq!(number(&next), 4);
    next.ack();
    assert!(broker.try_dequeue().is_none());
    let leftovers = std::mem::take(&mut broker.lock().leftovers);
    assert_eq!(leftovers.superseded.iter().map(|evaluation| evaluation.create_index).collect::<Vec<_>>(), [2, 3]);
    assert!(broker.lock().known.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_comes_again_until_it_counts_as_failed() {
    let broker = broker();
    let delays = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move { broker.run_delays(|| NOW).await }
    });
    broker.enqueue(evaluation(1, "web", 50), NOW);
    broker.enqueue(evaluation(2, "web", 50), NOW);
    let began = tokio::time::Instant::now();
    for delay in [Duration::ZERO, NACK_DELAYS[0], NACK_DELAYS[1]] {
        let before = tokio::time::Instant::now();
        let delivery = broker.dequeue().await;
        assert_eq!(number(&delivery), 1, "no other evaluation of the job overtakes it");
        assert!(before.elapsed() >= delay && before.elapsed() < delay + Duration::from_millis(10));
        drop(delivery);
    }
    let leftovers = broker.leftovers().await;
    assert_eq!(leftovers.failed.iter().map(|evaluation| evaluation.create_index).collect::<Vec<_>>(), [1]);
    assert_eq!(number(&broker.dequeue().await), 2);
    assert!(began.elapsed() < Duration::from_secs(22));
    delays.abort();
}

#[test]
fn what_is_to_be_tried_again_while_a_worker_has_it_comes_after() {
    let broker = broker();
    broker.enqueue(evaluation(1, "web", 50), NOW);
    let delivery = broker.try_dequeue().unwrap();
    broker.enqueue(evaluation(1, "web", 50), NOW);
    let newer = Arc::new(Evaluation { modify_index: 9, ..Evaluation::clone(&delivery.evaluation) });
    broker.enqueue(newer, NOW);
    assert!(broker.try_dequeue().is_none());
    delivery.ack();
    let again = broker.try_dequeue().unwrap();
    assert_eq!(again.evaluation.modify_index, 9);
    again.ack();
    assert!(broker.try_dequeue().is_none());
}

#[tokio::test(start_paused = true)]
async fn delayed_ones_come_at_their_time() {
    let broker = broker();
    let started = tokio::time::Instant::now();
    let now = move || UnixNanos(NOW.0 + drover_model::time::nanos_of(started.elapsed()));
    let delays = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move { broker.run_delays(now).await }
    });
    let mut late = Evaluation::clone(&evaluation(1, "web", 50));
    late.wait_until = Rfc3339(NOW.plus(Duration::from_secs(30)));
    broker.enqueue(Arc::new(late), NOW);
    let mut wait = Evaluation::clone(&evaluation(2, "db", 50));
    (wait.create_time, wait.wait) = (NOW, Duration::from_secs(10));
    broker.enqueue(Arc::new(wait), NOW);
    for (want, seconds) in [(2, 10), (1, 30)] {
        let delivery = broker.dequeue().await;
        assert_eq!((number(&delivery), started.elapsed().as_secs()), (want, seconds));
        delivery.ack();
    }
    delays.abort();
}

#[test]
fn forgetting_disabling_and_pausing() {
    let broker = broker();
    broker.enqueue(evaluation(1, "web", 50), NOW);
    broker.enqueue(evaluation(2, "web", 50), NOW);
    broker.forget(evaluation(1, "web", 50).id);
    let delivery = broker.try_dequeue().unwrap();
    assert_eq!(number(&delivery), 2);
    broker.set_enabled(false);
    assert!(!broker.is_outstanding(delivery.evaluation.id, delivery.token()));
    delivery.ack();
    broker.enqueue(evaluation(3, "db", 50), NOW);
    assert_eq!(broker.stats(), BrokerStats::default());
    broker.set_enabled(true);
    broker.set_paused(true);
    broker.enqueue(evaluation(4, "db", 50), NOW);
    assert!(broker.try_dequeue().is_none());
    broker.set_paused(false);
    assert!(broker.try_dequeue().is_some());
}
