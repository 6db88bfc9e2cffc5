//! "Why is it pending?"

use drover_model::{
    job::{Constraint, JobType, Operand},
    node::{Eligibility, NodeStatus},
};
use drover_scheduler::why;

use super::support::*;

#[test]
fn the_nearest_miss_is_named() {
    let mut job = job(JobType::Service, 1);
    job.task_groups[0].tasks[0].resources.memory_mib = 512;
    let right = "linux".to_owned();
    job.constraints.push(Constraint { left: "${attr.kernel.name}".to_owned(), right, operand: Operand::Equal });
    let nodes = (0..12).map(|number| {
        let mut node = node(number);
        node.resources.memory.memory_mib = 300 + u64::from(number);
        match number {
            8 | 9 => _ = node.attributes.insert("kernel.name".to_owned(), "windows".to_owned()),
            10 => node.eligibility = Eligibility::Ineligible,
            11 => node.datacenter = "elsewhere".to_owned(),
            _ => {}
        }
        node.compute_class();
        node
    });
    job.datacenters = vec!["dc*".to_owned()].into();
    let mut cluster = Cluster::new(nodes);
    let reasons = why(&cluster, &job);
    assert_eq!((&*reasons[0].group, reasons[0].fits), ("g", 0));
    assert_eq!(
        reasons[0].sentence,
        "fits on 0 of 10 nodes: 8 lack 512 MiB (closest: n7, 307 MiB free), 2 filtered by ${attr.kernel.name} = linux, \
         1 more not ready or not eligible, 1 more outside the job's datacenters or node pool"
    );
    cluster.edit_node(0, |node| node.resources.memory.memory_mib = 9000);
    assert!(why(&cluster, &job)[0].sentence.starts_with("fits on 1 of 10 nodes: 7 lack 512 MiB"));
    for number in 0..12 {
        cluster.edit_node(number, |node| node.status = NodeStatus::Down);
    }
    let sentence = "fits on 0 of 0 nodes: 11 more not ready or not eligible, 1 more outside the job's datacenters or node pool";
    assert_eq!(why(&cluster, &job)[0].sentence, sentence);
}
