//! What a namespace's quota lets be placed.

use drover_model::{
    evaluation::{EvalStatus, Evaluation},
    job::{Job, JobType, Resources},
    quota::{QuotaUse, RegionLimit},
};
use drover_scheduler::{Inputs, Preemption, schedule, why};
use proptest::prelude::*;

use super::support::*;

fn cpu(mhz: i64) -> Option<RegionLimit> {
    Some(RegionLimit { cpu_mhz: mhz, ..RegionLimit::default() })
}

fn used(cluster: &Cluster) -> QuotaUse {
    let mut sum = QuotaUse::default();
    let live = cluster.allocations.values().filter(|allocation| !allocation.is_terminal());
    live.for_each(|allocation| sum.add(&QuotaUse::of(&allocation.resources)));
    sum
}

#[test]
fn as_much_is_placed_as_the_quota_allows_and_the_rest_waits_for_it() {
    let reserved = Resources { cores: 1, memory_mib: 256, ..Resources::default() };
    for (kind, limit, resources, placed, words) in [
        (
            JobType::Service,
            RegionLimit { cpu_mhz: 1400, ..RegionLimit::default() },
            None,
            2,
            "cpu exhausted (500 MHz asked for, 400 of 1400 left)",
        ),
        (
            JobType::Batch,
            RegionLimit { memory_mib: 256, ..RegionLimit::default() },
            None,
            1,
            "memory exhausted (256 MiB asked for, 0 of 256 left)",
        ),
        (
            JobType::System,
            RegionLimit { cpu_mhz: 1500, ..RegionLimit::default() },
            None,
            3,
            "cpu exhausted (500 MHz asked for, 0 of 1500 left)",
        ),
        (
            JobType::Service,
            RegionLimit { cpu_mhz: -1, ..RegionLimit::default() },
            None,
            0,
            "cpu exhausted (500 MHz asked for, none is allowed)",
        ),
        (
            JobType::Service,
            RegionLimit { cores: 3, cpu_mhz: 1, ..RegionLimit::default() },
            Some(reserved),
            3,
            "cores exhausted (1 cores asked for, 0 of 3 left)",
        ),
    ] {
        let mut cluster = Cluster::of(5);
        cluster.quota = Some(limit.clone());
        let mut job = job(kind, if kind == JobType::System { 1 } else { 5 });
        if let Some(resources) = resources {
            job.task_groups[0].tasks[0].resources = resources;
        }
        cluster.register(job);
        let outcome = cluster.step();
        assert_eq!((outcome.plan.placements.len(), outcome.queued["g"]), (placed, 5 - placed as u32), "{limit:?}");
        let metric = &outcome.failed["g"];
        assert_eq!((metric.quota_exhausted.0.as_slice(), metric.nodes_exhausted), (&[words.to_owned()][..], 0));
        assert_eq!(metric.coalesced_failures, 4 - placed as u32);
        let blocked = outcome.followups.iter().find(|followup| followup.status == EvalStatus::Blocked).unwrap();
        assert_eq!((blocked.quota_limit_reached.as_str(), blocked.waits_for_nodes()), ("team", false));
        let reason = why(&cluster, cluster.job()).remove(0);
        assert_eq!(reason.fits, 0);
        assert!(reason.sentence.starts_with(&format!("quota \"team\" is reached: {words}; without it, fits on ")), "{}", reason.sentence);
    }
}

#[test]
fn what_waits_for_nodes_too_says_so() {
    let mut cluster = Cluster::of(1);
    cluster.quota = cpu(5000);
    let mut job = service(2);
    let mut other = job.task_groups[0].clone();
    other.name = "h".into();
    other.tasks[0].resources.cpu_mhz = 5001;
    job.task_groups[0].tasks[0].resources.cpu_mhz = 2100;
    job.task_groups.push(other);
    cluster.register(job);
    let outcome = cluster.plan();
    assert_eq!((outcome.queued["g"], outcome.queued["h"]), (1, 2));
    assert!(outcome.failed["g"].quota_exhausted.is_empty() && !outcome.failed["h"].quota_exhausted.is_empty());
    let blocked = outcome.followups.iter().find(|followup| followup.status == EvalStatus::Blocked).unwrap();
    assert_eq!((blocked.quota_limit_reached.as_str(), blocked.waits_for_nodes()), ("team", true));
}

#[test]
fn an_update_needs_no_more_than_the_difference() {
    for (limit, cpu_mhz, replaced) in [(2000, 500, 1), (2000, 501, 0), (2001, 501, 1), (1000, 400, 1), (1000, 500, 1), (-1, 501, 0)] {
        let mut cluster = Cluster::of(2);
        cluster.register(service(4)).step();
        cluster.settle_healthy().quota = cpu(limit);
        cluster.change_env().change(|job| job.task_groups[0].tasks[0].resources.cpu_mhz = cpu_mhz);
        let outcome = cluster.step();
        assert_eq!((outcome.plan.placements.len(), outcome.plan.stops.len()), (replaced, replaced), "{cpu_mhz} of {limit}");
        assert_eq!(cluster.running().len(), 4);
    }
}

#[test]
fn nobody_is_evicted_for_a_quota() {
    let mut cluster = Cluster::of(1);
    cluster.register(job(JobType::Batch, 4)).step();
    cluster.settle();
    cluster.config.preemption = Preemption { service: true, ..Preemption::default() };
    for (limit, placed) in [(2000, 0), (2500, 1)] {
        cluster.quota = cpu(limit);
        cluster.register(Job { id: "important".into(), priority: 90, ..service(1) });
        let evaluation = Evaluation { job_id: "important".into(), ..Evaluation::default() };
        let outcome = schedule(&cluster, &evaluation, Inputs::alone(cluster.now, 1)).unwrap();
        assert_eq!((outcome.plan.placements.len(), outcome.plan.stops.len()), (placed, 0), "{limit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Counts, sizes and versions change at random, clients end what they shall or do not: what is to run is never beyond the quota.
    #[test]
    fn what_runs_is_within_the_quota(
        limit in 500_i64..6000,
        changes in prop::collection::vec((0_u32..12, 1_u32..900, any::<bool>()), 1..8),
        seed in any::<u64>(),
    ) {
        let mut cluster = Cluster::of(4);
        (cluster.seed, cluster.quota) = (seed >> 1, cpu(limit));
        cluster.register(job(JobType::Batch, 1));
        for (count, cpu_mhz, settles) in changes {
            cluster.change(|job| {
                job.task_groups[0].count = count;
                job.task_groups[0].tasks[0].resources.cpu_mhz = cpu_mhz;
            });
            let outcome = cluster.step();
            prop_assert!(i64::try_from(used(&cluster).cpu_mhz).unwrap() <= limit);
            prop_assert_eq!(outcome.queued["g"] > 0, outcome.followups.iter().any(|followup| followup.status == EvalStatus::Blocked));
            if settles {
                cluster.settle();
            }
        }
    }
}
