//! Changed templates that roll through a group: nodes that see changes late and are cut off, reports that come late or twice, leaders that fall over
//! with a decision in hand, operators who pause and end what is under way.
//!
//! Commands go through the state machine, decisions come from the leader's own function, which is woken by nothing but what wakes it there. Nodes take their turns as
//! the client does. What is checked is what the nodes do, not what the servers believe of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use drover_model::{
    allocation::{AllocDeploymentStatus, Allocation, AllocationReport, ClientStatus, DesiredStatus},
    deployment::{Deployment, DeploymentStatus, DeploymentStatusUpdate},
    ids::{AllocId, DeploymentId},
    job::{ChangeMode, Job, Template, UpdateStrategy},
    plan::Stop,
    time::UnixNanos,
};

use super::dice::Dice;
use crate::{
    fsm::{
        Effect,
        command::{Command, PlanApply},
    },
    rolls,
    testing::{self, World, alloc_id, node_id},
};

const STEPS: u64 = 150;
/// Steps without faults after which all must have the newest text.
const CALM_STEPS: u64 = 400;
/// After a command that was refused.
const RETRY: Duration = Duration::from_secs(1);

/// An allocation as its node knows it.
#[derive(Debug, Default)]
struct Running {
    /// What it runs with, and the newest that its node has seen. Texts are numbers.
    text: u32,
    newest: u32,
    /// The deployment that its health is judged for, which is the last whose turn it has taken.
    turn: Option<DeploymentId>,
    judged_at: Option<i64>,
    healthy: Option<bool>,
    /// It has been restarted for a new text, and has not been healthy since.
    is_out: bool,
    /// The servers had lost sight of it then, or have since: they do not wait for it.
    was_lost_sight_of: bool,
    ended: Option<ClientStatus>,
}

#[derive(Debug, Default)]
struct Client {
    away: bool,
    allocations: BTreeMap<u8, Running>,
    /// A report on its way.
    sent: Option<Vec<AllocationReport>>,
}

/// Whoever leads. What it remembers is lost with it.
#[derive(Debug, Default)]
struct Leader {
    is_awake: bool,
    look_again: Option<UnixNanos>,
    /// Decided, and not committed yet.
    command: Option<Command>,
}

#[derive(Debug)]
pub(super) struct Play {
    world: World,
    dice: Dice,
    job: Arc<Job>,
    max_parallel: usize,
    clients: BTreeMap<u8, Client>,
    leader: Leader,
    text: u32,
    /// Texts that nothing runs well with.
    bad: BTreeSet<u32>,
    allocations: u8,
    /// Within how many seconds more than five it shows how an allocation is with its text.
    slowest: u64,
    aloud: bool,
}

fn rolling(dice: &Dice, count: u32) -> Job {
    let mut job = testing::job("web", count);
    let group = &mut job.task_groups[0];
    group.tasks[0].templates = vec![Template { change_mode: ChangeMode::Rolling, ..Template::default() }].into();
    group.update = Some(UpdateStrategy {
        max_parallel: dice.below(4) as u32,
        progress_deadline: Duration::from_secs([0, 40, 600][dice.below(3) as usize]),
        ..UpdateStrategy::default()
    });
    job
}

impl Play {
    pub(super) fn new(seed: u64, aloud: bool) -> Self {
        let (dice, mut world) = (Dice::new(seed), World::default());
        let nodes = 1 + dice.below(4) as u8;
        (1..=nodes).for_each(|number| world.ready_node(testing::node(number, 40_000, 40_000)));
        let count = 1 + dice.below(7) as u32;
        let job = world.register(rolling(&dice, count));
        let max_parallel = match job.task_groups[0].update.as_ref().map_or(1, |update| update.max_parallel) {
            0 => usize::MAX,
            most => most as usize,
        };
        let clients = (1..=nodes).map(|number| (number, Client::default())).collect();
        let (leader, bad) = (Leader::default(), BTreeSet::new());
        let mut play = Self { world, dice, job, max_parallel, clients, leader, text: 1, bad, allocations: 0, slowest: 40, aloud };
        (0..count).for_each(|_| play.place());
        play
    }

    pub(super) fn play(mut self) {
        for _ in 0..STEPS {
            self.happen();
            self.step();
        }
        self.calm_down();
        for _ in 0..CALM_STEPS {
            // What has failed is tried again with another text only.
            let latest = self.world.state.latest_deployment(&self.job.key()).map(|latest| latest.status);
            if latest == Some(DeploymentStatus::Failed) && self.leader.command.is_none() {
                self.text += 1;
            }
            self.clients.values_mut().flat_map(|client| client.allocations.values_mut()).for_each(|known| known.newest = self.text);
            self.step();
            if self.is_done() {
                return;
            }
        }
        let living = self.clients.values().flat_map(|client| &client.allocations).filter(|(number, _)| self.lives(**number));
        let latest = self.world.state.latest_deployment(&self.job.key());
        panic!("not all have the newest text {}: {:#?} {latest:#?}", self.text, living.collect::<Vec<_>>());
    }

    fn note(&self, what: impl FnOnce() -> String) {
        if self.aloud {
            eprintln!("{:>6} s, index {}: {}", self.world.seconds, self.world.state.index(), what());
        }
    }

    /// Applies a command, and wakes the leader when that does.
    fn run(&mut self, command: Command) -> bool {
        let (applied, effects) = self.world.apply(command);
        let key = self.job.key();
        self.leader.is_awake |= effects.iter().any(|effect| match effect {
            Effect::DeploymentChanged(id) => self.world.state.deployment(*id).is_some() && rolls::concerns(&self.world.state, &key),
            Effect::TemplatesWait(_) | Effect::JobChanged(_) => true,
            _ => false,
        });
        applied.accepted().is_ok()
    }

    fn step(&mut self) {
        self.world.seconds += self.dice.below(8) as i64;
        self.lead();
        let numbers: Vec<u8> = self.clients.keys().copied().collect();
        for number in numbers {
            self.step_of(number);
            self.check();
        }
    }

    fn row(&self, number: u8) -> Option<&Arc<Allocation>> {
        self.world.state.allocation(alloc_id(number))
    }

    fn active(&self) -> Option<&Arc<Deployment>> {
        self.world.state.active_template_roll(&self.job.key())
    }
}

/// The servers.
impl Play {
    fn lead(&mut self) {
        let crashes = self.dice.chance(5);
        match self.leader.command.take() {
            // What a leader has written down before it fell over counts, or it does not.
            Some(command) if !crashes || self.dice.chance(50) => {
                if !self.run(command) {
                    self.leader.look_again = Some(self.world.now().plus(RETRY));
                }
            }
            Some(_) => {}
            None => self.decide(),
        }
        if crashes {
            self.note(|| "another leader".to_owned());
            self.leader = Leader { is_awake: true, ..Leader::default() };
        }
    }

    fn decide(&mut self) {
        let now = self.world.now();
        if !self.leader.is_awake && self.leader.look_again.is_none_or(|at| at > now) {
            return;
        }
        self.leader.is_awake = false;
        let rolls::Decision { command, next_look } = rolls::decide(&self.world.state, &self.job.key(), now, &self.dice);
        (self.leader.command, self.leader.look_again) = (command, next_look);
        if let Some(command) = &self.leader.command {
            self.note(|| match command {
                Command::TemplateTurns(step) => format!("turns of {:?}, not of {:?}", step.turns, step.revoked),
                Command::DeploymentStatus { update, .. } => format!("{:?}: {}", update.status, update.description),
                other => format!("{other:?}"),
            });
        }
    }

    /// A new allocation starts with the newest text that its node knows.
    fn place(&mut self) {
        let nodes: Vec<u8> = self.clients.iter().filter(|(_, client)| !client.away).map(|(number, _)| *number).collect();
        let Some(on) = self.dice.one_of(&nodes) else { return };
        self.allocations += 1;
        let number = self.allocations;
        let allocation = testing::allocation(number, &self.job, on);
        self.run(Command::PlanApply(Box::new(PlanApply { allocations: [&allocation].into_iter().collect(), ..PlanApply::default() })));
        let running = Running { text: self.text, newest: self.text, healthy: Some(true), ..Running::default() };
        self.clients.entry(on).or_default().allocations.insert(number, running);
    }

    /// Stops an allocation, or says what its node's silence makes of it.
    fn stop(&mut self, number: u8, client_status: Option<ClientStatus>) {
        let Some(node_id) = self.row(number).map(|row| row.node_id) else { return };
        let is_unknown = client_status == Some(ClientStatus::Unknown);
        let stop = Stop {
            id: alloc_id(number),
            node_id,
            desired_status: if is_unknown { DesiredStatus::default() } else { DesiredStatus::Stop },
            description: "".into(),
            client_status,
            followup_eval: None,
            preempted_by: None,
        };
        self.note(|| format!("{number} is stopped, {client_status:?}"));
        self.run(Command::PlanApply(Box::new(PlanApply { stops: vec![stop], ..PlanApply::default() })));
        if let Some(known) = self.clients.values_mut().find_map(|client| client.allocations.get_mut(&number)) {
            known.was_lost_sight_of |= is_unknown;
        }
        if !is_unknown {
            self.place();
        }
    }

    fn set_status(&mut self, id: DeploymentId, status: DeploymentStatus) {
        self.note(|| format!("an operator says {status:?}"));
        let update = DeploymentStatusUpdate { id, status, description: String::new() };
        self.run(Command::DeploymentStatus { update, job: None, evaluation: None });
    }
}

/// What happens to them.
impl Play {
    fn happen(&mut self) {
        match self.dice.below(24) {
            0..=1 => {
                self.text += 1;
                if self.dice.chance(40) {
                    self.bad.insert(self.text);
                }
                self.note(|| format!("text {}, bad ones are {:?}", self.text, self.bad));
            }
            2 => self.for_some_client(|client, _| client.away = true),
            3..=4 => self.for_some_client(|client, _| client.away = false),
            5 => self.lose(),
            6 => {
                let numbers: Vec<u8> = (1..=self.allocations).filter(|number| self.lives(*number)).collect();
                if let Some(number) = self.dice.one_of(&numbers).filter(|_| self.allocations < 200) {
                    self.stop(number, None);
                }
            }
            7 => {
                let statuses = [DeploymentStatus::Paused, DeploymentStatus::Running, DeploymentStatus::Running, DeploymentStatus::Failed];
                if let (Some(active), Some(status)) = (self.active().map(|row| row.id), self.dice.one_of(&statuses)) {
                    self.set_status(active, status);
                }
            }
            8 => self.world.seconds += 100,
            _ => {}
        }
    }

    fn for_some_client(&mut self, change: impl FnOnce(&mut Client, u8)) {
        let numbers: Vec<u8> = self.clients.keys().copied().collect();
        let Some(number) = self.dice.one_of(&numbers) else { return };
        if let Some(client) = self.clients.get_mut(&number) {
            change(client, number);
        }
    }

    fn lives(&self, number: u8) -> bool {
        self.row(number).is_some_and(|row| !row.is_terminal())
    }

    /// The servers notice that a node is away: what runs there is out of sight, or lost.
    fn lose(&mut self) {
        let away: Vec<u8> = self.clients.iter().filter(|(_, client)| client.away).map(|(number, _)| *number).collect();
        let Some(node) = self.dice.one_of(&away) else { return };
        let status = if self.dice.chance(60) { ClientStatus::Unknown } else { ClientStatus::Lost };
        let numbers: Vec<u8> = self.clients[&node].allocations.keys().copied().filter(|number| self.lives(*number)).collect();
        for number in numbers {
            if self.row(number).is_some_and(|row| row.client_status != ClientStatus::Unknown || status == ClientStatus::Lost) {
                self.stop(number, Some(status));
            }
        }
    }

    /// All faults are over, and somebody writes a text that is good.
    fn calm_down(&mut self) {
        self.text += 1;
        self.note(|| format!("from now on all is well, with text {}", self.text));
        self.bad.clear();
        self.slowest = 1;
        self.clients.values_mut().for_each(|client| client.away = false);
        if let Some(active) = self.active().map(|row| row.id) {
            self.set_status(active, DeploymentStatus::Running);
        }
    }
}

/// The nodes.
impl Play {
    fn step_of(&mut self, number: u8) {
        let Some(mut client) = self.clients.remove(&number) else { return };
        for (alloc, known) in &mut client.allocations {
            if self.dice.chance(50) {
                known.newest = self.text;
            }
            let row = self.world.state.allocation(alloc_id(*alloc)).filter(|_| !client.away && self.dice.chance(60));
            self.live(*alloc, known, row.map(Arc::as_ref));
        }
        let arrived = client.sent.take_if(|_| !client.away && self.dice.chance(60));
        if client.sent.is_none() {
            client.sent = Some(client.allocations.iter().map(|(alloc, known)| known.report(alloc_id(*alloc))).collect());
        }
        if let Some(reports) = arrived {
            let again = self.dice.chance(10).then(|| reports.clone());
            self.run(Command::AllocationsReport { node_id: node_id(number), reports, evaluations: Vec::new() });
            client.sent = again.or(client.sent);
        }
        self.clients.insert(number, client);
    }

    /// One allocation, and how the servers have it, where that is heard.
    fn live(&self, number: u8, known: &mut Running, row: Option<&Allocation>) {
        if known.ended.is_some() {
            return;
        }
        if let Some(row) = row {
            if row.is_server_terminal() {
                known.ended = Some(ClientStatus::Complete);
                return;
            }
            if let Some(turn) = row.turn().filter(|turn| known.turn != Some(*turn)) {
                known.take(turn, self.world.seconds + 5 + self.dice.below(self.slowest) as i64);
                known.was_lost_sight_of |= row.client_status == ClientStatus::Unknown;
                self.note(|| format!("{number} takes text {}", known.text));
            }
        }
        if known.judged_at.is_some_and(|at| at <= self.world.seconds) {
            known.judged_at = None;
            let is_well = !self.bad.contains(&known.text);
            known.healthy = Some(is_well);
            known.is_out &= !is_well;
            self.note(|| format!("{number} is well: {is_well}"));
            if !is_well && self.dice.chance(20) {
                known.ended = Some(ClientStatus::Failed);
            }
        }
    }
}

impl Running {
    fn take(&mut self, turn: DeploymentId, judged_at: i64) {
        // Who was out already stays what it was.
        self.was_lost_sight_of &= self.is_out;
        self.is_out |= self.text != self.newest;
        (self.text, self.turn, self.healthy, self.judged_at) = (self.newest, Some(turn), None, Some(judged_at));
    }

    fn report(&self, id: AllocId) -> AllocationReport {
        let waiting = if self.text == self.newest { String::new() } else { format!("text {}", self.newest) };
        AllocationReport {
            id: Some(id),
            client_status: self.ended.unwrap_or(ClientStatus::Running),
            deployment_status: self
                .healthy
                .map(|healthy| AllocDeploymentStatus { healthy: Some(healthy), ..AllocDeploymentStatus::default() }),
            deployment_id: self.turn,
            templates_waiting: waiting.as_str().into(),
            ..AllocationReport::default()
        }
    }
}

/// The rules.
impl Play {
    /// Those that the servers count on.
    fn in_sight(&self) -> impl Iterator<Item = &Running> {
        let all = self.clients.values().flat_map(|client| &client.allocations);
        all.filter(|(number, known)| {
            let seen = self.row(**number).is_some_and(|row| !row.is_terminal() && row.client_status != ClientStatus::Unknown);
            seen && !known.was_lost_sight_of
        })
        .map(|(_, known)| known)
    }

    fn check(&self) {
        let out = self.in_sight().filter(|known| known.is_out).count();
        assert!(out <= self.max_parallel, "{out} of the group are out for a new text, {} may be", self.max_parallel);
        for bad in &self.bad {
            let with_it = self.in_sight().filter(|known| known.is_out && known.text == *bad).count();
            assert!(with_it <= self.max_parallel, "{with_it} have the bad text {bad}");
        }
        let active = self.world.state.deployments().filter(|row| row.is_active()).count();
        assert!(active <= 1, "{active} deployments side by side");
        for deployment in self.world.state.deployments() {
            for (name, group) in &deployment.task_groups {
                let known = group.healthy_allocs + group.unhealthy_allocs;
                assert!(known <= group.placed_allocs, "{known} of {} placed in {name} are judged", group.placed_allocs);
            }
        }
    }

    fn is_done(&self) -> bool {
        let lives = |(number, _): &(&u8, &Running)| self.lives(**number);
        let mut living = self.clients.values().flat_map(|client| &client.allocations).filter(lives);
        self.active().is_none() && living.all(|(_, known)| known.ended.is_none() && known.text == self.text && !known.is_out)
    }
}
