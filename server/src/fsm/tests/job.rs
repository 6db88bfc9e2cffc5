//! Jobs: versions, tags, counts and status.

use drover_model::job::{JobStatus, ScalingEvent};

use super::*;
use crate::fsm::command::ScaleStep;

#[test]
fn versions_count_what_differs() {
    let mut world = World::default();
    let changed = |meta: &str| Job { meta: Map::from_iter([("v".to_owned(), meta.to_owned())]), ..job("web", 1) };
    for (name, job, version) in
        [("new", changed("1"), 0), ("unchanged", changed("1"), 0), ("changed", changed("2"), 1), ("back again", changed("1"), 2)]
    {
        let before = world.state.job(&web()).map_or(0, |job| job.job_modify_index);
        let index = world.run(register(job, None));
        let job = world.state.job(&web()).unwrap();
        assert_eq!(job.version, version, "{name}");
        assert_eq!(job.job_modify_index, if name == "unchanged" { before } else { index }, "{name}");
        assert_eq!(world.state.evaluation(eval_id(1)).unwrap().modify_index, index, "{name}: an evaluation either way");
    }
    let purge = |purge| Command::JobDeregister { key: web(), purge, no_shutdown_delay: false, evaluation: None };
    world.run(purge(false));
    let stopped = world.state.job(&web()).unwrap();
    assert_eq!((stopped.version, stopped.stop), (3, true));
    world.run(purge(true));
    assert!(world.state.job(&web()).is_none() && world.state.job_versions(&web()).is_empty() && world.state.summary(&web()).is_none());
}

#[test]
fn old_versions_are_forgotten_but_stable_and_tagged_ones() {
    let mut world = World::default();
    for number in 0..12 {
        world.run(register(Job { priority: 10 + number, ..job("web", 1) }, None));
        if number == 1 {
            world.run(Command::JobStability { key: web(), version: 1, stable: true });
        }
    }
    let versions: Vec<u64> = world.state.job_versions(&web()).iter().map(|job| job.version).collect();
    assert_eq!(versions, [11, 10, 9, 8, 7, 6, 1]);
    assert_eq!(world.state.stable_version(&web(), 11).unwrap().version, 1);
}

#[test]
fn a_tag_keeps_its_version() {
    let mut world = World::default();
    for number in 0..3 {
        world.run(register(Job { priority: 10 + number, ..job("web", 1) }, None));
    }
    let tag = |name: &str, version| Command::JobTag { key: web(), name: name.to_owned(), tag: Some((version, "why".to_owned())) };
    let modified = world.state.job(&web()).unwrap().job_modify_index;
    world.run(tag("golden", 0));
    world.run(tag("newest", 2));
    assert_eq!(world.state.job(&web()).unwrap().job_modify_index, modified, "the specification is as it was");
    for (command, status) in [(tag("golden", 1), 500), (tag("other", 7), 404)] {
        assert!(matches!(world.apply(command).0, Applied::Refused { status: found, .. } if found == status));
    }
    for number in 3..12 {
        world.run(register(Job { priority: 10 + number, ..job("web", 1) }, None));
    }
    let versions = |world: &World| world.state.job_versions(&web()).iter().map(|job| job.version).collect::<Vec<_>>();
    assert_eq!(versions(&world), [11, 10, 9, 8, 7, 6, 2, 0]);
    let known = world.state.tagged_version(&web(), "golden").unwrap();
    assert_eq!((known.version, known.version_tag.as_ref().unwrap().description.as_str()), (0, "why"));
    let untag = || Command::JobTag { key: web(), name: "golden".to_owned(), tag: None };
    world.run(untag());
    assert_eq!(versions(&world), [11, 10, 9, 8, 7, 6, 2], "nothing keeps it any more");
    assert!(matches!(world.apply(untag()).0, Applied::Refused { status: 404, .. }));
}

#[test]
fn what_is_said_of_counts_is_kept_for_a_while() {
    let mut world = World::default();
    let registered = world.run(register(job("web", 1), None));
    let scale = |count: Option<u32>, enforce| {
        let event = ScalingEvent { count: count.map(i64::from), message: "busy".to_owned(), ..ScalingEvent::default() };
        let job = count.map(|count| Arc::new(job("web", count)));
        Command::JobScale(Box::new(ScaleStep { key: web(), group: "web".into(), event, job, enforce, evaluation: None }))
    };
    assert!(matches!(world.apply(scale(Some(2), Some(registered + 9))).0, Applied::Conflict { .. }));
    assert!(world.state.scaling(&web()).is_none(), "a refusal notes nothing");
    world.run(scale(Some(2), Some(registered)));
    let newest = world.run(scale(None, None));
    let events = world.state.scaling(&web()).unwrap().groups["web"].clone();
    assert_eq!(events.iter().map(|event| event.count).collect::<Vec<_>>(), [None, Some(2)]);
    assert_eq!((events[0].create_index, world.state.job(&web()).unwrap().task_groups[0].count), (newest, 2));
    for _ in 0..40 {
        world.run(scale(None, None));
    }
    assert_eq!(world.state.scaling(&web()).unwrap().groups["web"].len(), 20);
    let read = snapshot::decode(&mut &bytes(&world.state)[..]).unwrap();
    assert_eq!(read.scaling(&web()), world.state.scaling(&web()));
    world.run(Command::JobDeregister { key: web(), purge: true, no_shutdown_delay: false, evaluation: None });
    assert!(world.state.scaling(&web()).is_none());
    assert!(matches!(world.apply(scale(None, None)).0, Applied::Refused { status: 404, .. }));
}

#[test]
fn a_jobs_status_follows_its_allocations_and_evaluations() {
    let mut world = World::default();
    world.ready_node(node(1, 4000, 4000));
    world.run(register(job("web", 1), None));
    let status = |world: &World| world.state.job(&web()).unwrap().status;
    assert_eq!(status(&world), JobStatus::Pending);
    let job = Arc::clone(world.state.job(&web()).unwrap());
    world.place(vec![allocation(1, &job, 1)], None);
    assert_eq!(status(&world), JobStatus::Running);
    let done = Evaluation { status: EvalStatus::Complete, ..evaluation(1, &job) };
    world.run(Command::EvaluationsUpsert { evaluations: vec![done] });
    assert_eq!(status(&world), JobStatus::Running);
    world.report(1, vec![report(1, ClientStatus::Failed, None)]);
    assert_eq!(status(&world), JobStatus::Dead);
    let summary = world.state.summary(&web()).unwrap();
    assert_eq!((summary.summary["web"].failed, summary.summary["web"].starting), (1, 0));
}
