//! What an allocation costs in the servers' memory, counted by the allocator itself.

#![allow(unsafe_code, reason = "an allocator that counts is an allocator")]
#![allow(clippy::print_stderr, reason = "the figure is worth seeing")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use drover_model::{
    allocation::{AllocationReport, ClientStatus, TaskEvent, TaskPhase, TaskState, event},
    evaluation::Evaluation,
    ids::{EvalId, NodeId},
    job::{Job, JobType, Task, TaskGroup},
    lean,
    node::{DriverInfo, Node, NodeStatus},
    time::UnixNanos,
};
use drover_scheduler::{Inputs, schedule};
use drover_server::{
    fsm::{
        apply,
        command::{COMMAND_VERSION, Command, PlanApply, Proposed},
    },
    state::State,
};

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NODES: u16 = 100;
const ALLOCATIONS: u32 = 10_000;
/// Of an allocation, as it was placed and while it runs.
const MOST_BYTES: usize = 1536;

fn run(state: &mut State, command: Command) {
    let index = state.index() + 1;
    let proposed = Proposed { version: COMMAND_VERSION, at: UnixNanos(1_800_000_000_000_000_000), command };
    apply(state, index, proposed).0.accepted().unwrap();
}

fn node(number: u16) -> Node {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    let mut node = Node { id: NodeId::from_random(bytes), name: format!("n{number}"), secret_id: "s".to_owned().into(), ..Node::default() };
    node.resources.cpu.cpu_mhz = 1_000_000;
    node.resources.memory.memory_mib = 1_000_000;
    node.resources.disk.disk_mib = 1 << 40;
    node.drivers.insert("raw_exec".to_owned(), DriverInfo { detected: true, healthy: true, ..DriverInfo::default() });
    node.compute_class();
    node
}

fn job() -> Job {
    let task = Task { name: "server".to_owned(), driver: "raw_exec".to_owned(), ..Task::default() };
    let group = TaskGroup { name: "web".into(), count: ALLOCATIONS, tasks: vec![task].into(), ..TaskGroup::default() };
    Job { id: "shop".into(), name: "shop".to_owned(), kind: JobType::Service, task_groups: vec![group].into(), ..Job::default() }
}

#[test]
fn an_allocation_takes_little_beside_its_job() {
    let mut state = State::default();
    for number in 0..NODES {
        let node = node(number);
        let id = node.id;
        run(&mut state, Command::NodeRegister { node: Box::new(node) });
        run(&mut state, Command::NodeStatus { id, status: NodeStatus::Ready, event: None, evaluations: Vec::new() });
    }
    run(&mut state, Command::JobRegister { job: Arc::new(job()), submission: None, enforce: None, evaluation: None });
    let evaluation = Evaluation { id: EvalId::from_random([1; 16]), job_id: "shop".into(), ..Evaluation::default() };
    let before = IN_USE.load(Ordering::Relaxed);
    let outcome = schedule(&state, &evaluation, Inputs::alone(UnixNanos(1), 1)).unwrap();
    assert_eq!(outcome.plan.placements.len(), ALLOCATIONS as usize);
    let allocations = outcome.plan.placements.iter().cloned().map(Arc::new).collect::<Vec<_>>();
    let plan = PlanApply { allocations: allocations.iter().collect(), ..PlanApply::default() };
    // As it comes from the log, so that nothing is shared that would not be after a restart.
    let logged = lean::to_vec(&Command::PlanApply(Box::new(plan))).unwrap();
    drop((allocations, outcome));
    run(&mut state, rmp_serde::from_slice(&logged).unwrap());
    drop(logged);
    let placed = IN_USE.load(Ordering::Relaxed).saturating_sub(before) / ALLOCATIONS as usize;
    assert_eq!(state.allocation_count(), ALLOCATIONS as usize);

    let reports: Vec<_> = state.allocations().map(|row| (row.node_id, row.id)).collect();
    for (node_id, id) in reports {
        let at = UnixNanos(1_800_000_000_000_000_000);
        let events = vec![
            TaskEvent::new(event::RECEIVED, at, "Task received by client"),
            TaskEvent::new(event::TASK_SETUP, at, "").with_message("Building Task Directory"),
            TaskEvent::new(event::STARTED, at, "Task started by client"),
        ];
        let started = TaskState { state: TaskPhase::Running, events: events.into(), ..TaskState::default() };
        let report = AllocationReport {
            id: Some(id),
            client_status: ClientStatus::Running,
            task_states: [("server".into(), started)].into_iter().collect(),
            ..AllocationReport::default()
        };
        let command = Command::AllocationsReport { node_id, reports: vec![report], evaluations: Vec::new() };
        run(&mut state, rmp_serde::from_slice(&lean::to_vec(&command).unwrap()).unwrap());
    }
    let running = IN_USE.load(Ordering::Relaxed).saturating_sub(before) / ALLOCATIONS as usize;
    eprintln!("an allocation takes {placed} bytes once it is placed, {running} once it runs");
    assert!(placed < MOST_BYTES && running < MOST_BYTES, "{placed} and {running} bytes");
}
