//! Room by force.

use drover_model::{
    allocation::DesiredStatus,
    evaluation::{Evaluation, Trigger},
    job::{Job, JobType, NetworkResource, Port, RequestedDevice},
};
use drover_scheduler::{Inputs, Preemption, schedule};

use super::support::*;

/// One node, full of a job of this priority (eight times 500 MHz).
fn full_of(priority: u8) -> Cluster {
    let mut cluster = Cluster::of(1);
    cluster.register(Job { priority, ..job(JobType::Batch, 8) }).step();
    cluster.settle();
    cluster
}

fn important(cpu_mhz: u32) -> Job {
    let mut job = Job { id: "important".into(), priority: 70, ..job(JobType::Service, 1) };
    job.task_groups[0].tasks[0].resources.cpu_mhz = cpu_mhz;
    job
}

#[test]
fn less_important_ones_make_way_where_operators_allow_it() {
    for (priority, allowed, cpu_mhz, want) in
        [(50, true, 500, 1), (50, true, 1200, 3), (60, true, 500, 1), (61, true, 500, 0), (50, false, 500, 0), (50, true, 4001, 0)]
    {
        let mut cluster = full_of(priority);
        cluster.config.preemption = Preemption { service: allowed, ..Preemption::default() };
        cluster.register(important(cpu_mhz));
        let evaluation = Evaluation { job_id: "important".into(), ..Evaluation::default() };
        let outcome = schedule(&cluster, &evaluation, Inputs::alone(cluster.now, 1)).unwrap();
        let plan = &outcome.plan;
        let case = (priority, allowed, cpu_mhz);
        assert_eq!((plan.stops.len(), plan.placements.len()), (want, usize::from(want > 0)), "{case:?}");
        if want == 0 {
            assert_eq!(outcome.queued["g"], 1);
            continue;
        }
        let placed = &plan.placements[0];
        assert_eq!(placed.preempted_allocations.len(), want);
        for stop in &plan.stops {
            assert_eq!((stop.desired_status, stop.preempted_by), (DesiredStatus::Evict, Some(placed.id)));
            assert_eq!(*stop.description, format!("Preempted by alloc ID {}", placed.id));
        }
        let annotations = plan.annotations.as_ref().unwrap();
        assert_eq!((annotations.desired_updates["g"].preemptions as usize, annotations.preempted_allocations.len()), (want, want));
        assert_eq!(
            outcome.followups.iter().map(|eval| (eval.triggered_by, &*eval.job_id)).collect::<Vec<_>>(),
            [(Trigger::Preemption, "web")]
        );
    }
}

#[test]
fn nobody_makes_way_for_a_job_that_does_not_run_as_a_whole() {
    for (count, want) in [(2, 2), (20, 0)] {
        let mut cluster = full_of(50);
        cluster.config.preemption = Preemption { service: true, ..Preemption::default() };
        let mut job = Job { all_at_once: true, ..important(500) };
        job.task_groups[0].count = count;
        cluster.register(job);
        let evaluation = Evaluation { job_id: "important".into(), ..Evaluation::default() };
        let outcome = schedule(&cluster, &evaluation, Inputs::alone(cluster.now, 1)).unwrap();
        assert_eq!((outcome.plan.placements.len(), outcome.plan.stops.len()), (want, want), "{count}");
        let evaluated = outcome.followups.iter().filter(|eval| eval.triggered_by == Trigger::Preemption).count();
        assert_eq!(evaluated, usize::from(want > 0), "{count}");
        assert_eq!(outcome.queued["g"], if want > 0 { 0 } else { count }, "{count}");
    }
}

/// One node on which a job of priority 10 runs, and one of priority 30 that has its port and its card.
fn owned() -> Cluster {
    let mut cluster = Cluster::of(1);
    cluster.edit_node(0, |node| {
        let card = serde_json::json!({"Vendor": "nvidia", "Type": "gpu", "Name": "k", "Instances": [{"ID": "card", "Healthy": true}]});
        node.resources.devices = vec![card].into();
    });
    cluster.register(Job { id: "b".into(), priority: 10, ..job(JobType::Batch, 1) }).step();
    let mut owner = Job { id: "a".into(), priority: 30, ..job(JobType::Batch, 1) };
    wants(&mut owner, true, true);
    cluster.register(owner).step();
    cluster.settle();
    cluster
}

fn wants(job: &mut Job, port: bool, card: bool) {
    let group = &mut job.task_groups[0];
    if port {
        let port = Port { label: "http".to_owned(), value: 8080, ..Port::default() };
        group.networks.push(NetworkResource { reserved_ports: vec![port].into(), ..NetworkResource::default() });
    }
    if card {
        group.tasks[0].resources.devices = vec![RequestedDevice { name: "gpu".to_owned(), count: 1, ..RequestedDevice::default() }].into();
    }
}

#[test]
fn who_owns_the_port_or_the_device_makes_way_and_nobody_else() {
    for (port, card, priority, want) in [
        (true, false, 70, vec!["a"]),
        (false, true, 70, vec!["a"]),
        (true, true, 70, vec!["a"]),
        (true, false, 39, vec![]),
        (false, false, 70, vec![]),
    ] {
        let mut cluster = owned();
        cluster.config.preemption = Preemption { service: true, ..Preemption::default() };
        let mut job = Job { priority, ..important(500) };
        wants(&mut job, port, card);
        cluster.register(job);
        let evaluation = Evaluation { job_id: "important".into(), ..Evaluation::default() };
        let outcome = schedule(&cluster, &evaluation, Inputs::alone(cluster.now, 1)).unwrap();
        let evicted: Vec<_> = outcome.plan.stops.iter().map(|stop| &*cluster.allocations[&stop.id].job_id).collect();
        let case = (port, card, priority);
        assert_eq!(evicted, want, "{case:?}");
        assert_eq!(outcome.plan.placements.len(), usize::from(!want.is_empty() || !(port || card)), "{case:?}");
    }
}
