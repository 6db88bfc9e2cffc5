//! Volumes of nodes, and who may use them beside whom.

use drover_model::{
    job::{Job, JobType},
    node::{HostVolume, NodeStatus},
    spec,
    volume::{
        AccessMode::{self, MultiWriter, ReaderOnly, SingleWriter, Writer},
        AttachmentMode, Capability,
    },
};
use proptest::prelude::*;

use super::support::*;

fn volume(name: &str, modes: &[AccessMode]) -> HostVolume {
    let capability = |mode: &AccessMode| Capability { access_mode: *mode, attachment_mode: AttachmentMode::FileSystem };
    HostVolume {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        namespace: "default".into(),
        capabilities: modes.iter().map(capability).collect(),
        ..HostVolume::default()
    }
}

/// Nodes of which those listed have a volume.
fn cluster(nodes: u16, volumes: &[(u16, HostVolume)]) -> Cluster {
    let mut cluster = Cluster::of(nodes);
    for (number, volume) in volumes {
        cluster.edit_node(*number, |node| _ = node.host_volumes.insert(volume.name.clone(), volume.clone()));
    }
    cluster
}

fn asking(count: u32, edit: impl FnOnce(&mut spec::Volume)) -> Job {
    let mut job = job(JobType::Service, count);
    let mut asked = spec::Volume { name: "v".to_owned(), kind: "host".to_owned(), source: "data".to_owned(), ..spec::Volume::default() };
    edit(&mut asked);
    job.task_groups[0].volumes.insert("v".to_owned(), asked);
    job.task_groups[0].update = None;
    job
}

type Edit = Box<dyn FnOnce(&mut spec::Volume)>;

#[test]
fn as_many_are_placed_as_the_volume_lets_use_it() {
    let mode = |mode: &'static str| move |asked: &mut spec::Volume| asked.access_mode = mode.to_owned();
    let cases: Vec<(&str, Vec<AccessMode>, Edit, usize, &str)> = vec![
        ("any writers", vec![Writer], Box::new(|_| {}), 3, ""),
        ("one writer", vec![SingleWriter], Box::new(|_| {}), 1, "conflicting claims for host volume with single-writer"),
        ("readers of what has one writer", vec![SingleWriter], Box::new(|asked| asked.read_only = true), 3, ""),
        ("many writers", vec![MultiWriter], Box::new(mode("single-node-multi-writer")), 3, ""),
        ("who writes alone", vec![MultiWriter, SingleWriter], Box::new(mode("single-node-single-writer")), 1, "conflicting claims"),
        ("a mode that it does not have", vec![SingleWriter], Box::new(mode("single-node-multi-writer")), 0, "missing compatible"),
        ("writing what is only read", vec![ReaderOnly], Box::new(|_| {}), 0, "missing compatible"),
        ("reading it", vec![ReaderOnly], Box::new(|asked| asked.read_only = true), 3, ""),
        ("another name", vec![Writer], Box::new(|asked| asked.source = "other".to_owned()), 0, "missing compatible"),
        ("as a block device", vec![Writer], Box::new(|asked| asked.attachment_mode = "block-device".to_owned()), 0, "missing compatible"),
    ];
    for (name, modes, edit, placed, why) in cases {
        let mut cluster = cluster(3, &[(1, volume("data", &modes))]);
        cluster.register(asking(3, edit));
        let outcome = cluster.step();
        assert_eq!(outcome.plan.placements.len(), placed, "{name}");
        assert!(outcome.plan.placements.iter().all(|placed| placed.node_id == node_id(1)), "{name}");
        if let Some(metric) = outcome.failed.get("g") {
            let mut reasons = metric.dimension_exhausted.keys().chain(metric.constraint_filtered.keys());
            assert!(reasons.any(|reason| reason.starts_with(why)), "{name}: {metric:?}");
            let blocked = outcome.followups.iter().find(|followup| followup.should_block()).unwrap();
            assert!(blocked.escaped_computed_class, "what waits for a volume waits for a node, not for a class of them");
        }
    }
}

#[test]
fn another_namespace_has_its_own_volumes_and_configured_ones_are_everybodys() {
    for (namespace, id, want) in [("default", "x", 1), ("other", "x", 0), ("other", "", 1)] {
        let offered = HostVolume { namespace: namespace.into(), id: id.to_owned(), ..volume("data", &[Writer]) };
        let mut cluster = cluster(1, &[(0, offered)]);
        cluster.register(asking(1, |_| {}));
        assert_eq!(cluster.step().plan.placements.len(), want, "{namespace} {id:?}");
    }
}

#[test]
fn a_claim_ends_with_its_allocation() {
    let mut cluster = cluster(1, &[(0, volume("data", &[SingleWriter]))]);
    cluster.register(asking(2, |_| {})).step();
    let first = cluster.find("web.g[0]", 0);
    cluster.settle();
    assert_eq!(cluster.step().plan.placements.len(), 0);
    cluster.edit(first.id, |allocation| allocation.client_status = drover_model::allocation::ClientStatus::Complete);
    cluster.settle();
    assert_eq!(cluster.step().plan.placements.len(), 1);
}

#[test]
fn each_allocation_has_a_volume_of_its_own_where_the_group_says_so() {
    let named: Vec<_> =
        [2, 0, 1].into_iter().zip(0..).map(|(index, on)| (on, volume(&format!("data[{index}]"), &[SingleWriter]))).collect();
    let mut cluster = cluster(4, &named);
    cluster.register(asking(4, |asked| asked.per_alloc = true));
    let outcome = cluster.step();
    let mut placed: Vec<_> = outcome.plan.placements.iter().map(|placed| (placed.name.to_string(), placed.node_id)).collect();
    placed.sort();
    let want = [(0, 1), (1, 2), (2, 0)].map(|(index, on)| (format!("web.g[{index}]"), node_id(on)));
    assert_eq!(placed, want);
    assert_eq!(outcome.queued["g"], 1);
}

#[test]
fn what_follows_a_sticky_one_goes_where_its_volume_is_or_waits() {
    for (sticky, away, want) in [(true, false, Some(0)), (true, true, None), (false, true, Some(1))] {
        let mut cluster = cluster(2, &[(0, volume("data", &[Writer])), (1, volume("data", &[Writer]))]);
        cluster.edit_node(1, |node| node.status = NodeStatus::Down);
        cluster.register(asking(1, |asked| asked.sticky = sticky)).step();
        cluster.settle();
        cluster.edit_node(1, |node| node.status = NodeStatus::Ready);
        if away {
            cluster.edit_node(0, |node| node.status = NodeStatus::Down);
        }
        cluster.change_env();
        let outcome = cluster.step();
        assert_eq!(outcome.plan.placements.first().map(|placed| placed.node_id), want.map(node_id), "sticky {sticky}, away {away}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever jobs come with whichever modes: who writes a volume alone is alone.
    #[test]
    fn nobody_writes_beside_who_writes_alone(jobs in prop::collection::vec((1_u32..4, 0_usize..4, any::<bool>()), 1..6), seed in any::<u64>()) {
        let all = [SingleWriter, MultiWriter, Writer];
        let mut cluster = cluster(3, &[(0, volume("data", &all)), (2, volume("data", &all))]);
        cluster.seed = seed >> 1;
        let modes = ["", "single-node-single-writer", "single-node-multi-writer", "single-node-writer"];
        for (number, (count, mode, read_only)) in jobs.into_iter().enumerate() {
            cluster.jobs.clear();
            let job = asking(count, |asked| (asked.access_mode, asked.read_only) = (modes[mode].to_owned(), read_only));
            cluster.register(Job { id: format!("j{number}").as_str().into(), ..job }).step();
        }
        for on in 0..3 {
            let here = cluster.allocations.values().filter(|row| row.node_id == node_id(on));
            let writers: Vec<_> = here.filter_map(|row| row.group()?.volumes.get("v").cloned()).filter(|asked| !asked.read_only).collect();
            // What asks for no mode gets the first one of the volume.
            let alone = writers.iter().any(|asked| matches!(asked.access_mode.as_str(), "" | "single-node-single-writer"));
            prop_assert!(!alone || writers.len() == 1, "{writers:?} on {on}");
        }
    }
}
