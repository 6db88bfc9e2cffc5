//! Fills in the defaults of a submitted job, block by block, from the job down to its tasks.

use super::*;

mod service;
mod task;

/// What a block says wins over what the block around it says, field by field.
macro_rules! overlay {
    ($outer:expr, $inner:expr; $($field:ident),*) => {{
        let (outer, inner) = ($outer, $inner);
        $( if inner.$field.is_some() { outer.$field = inner.$field.clone(); } )*
    }};
}

/// Gives an absent field its default.
pub(super) fn fill<T>(slot: &mut Option<T>, default: impl Into<T>) {
    if slot.is_none() {
        *slot = Some(default.into());
    }
}

/// Gives an empty text its default.
pub(super) fn fill_text(slot: &mut String, default: &str) {
    if slot.is_empty() {
        default.clone_into(slot);
    }
}

/// The weight of an affinity or spread that names none.
const DEFAULT_WEIGHT: i64 = 50;
const DEFAULT_PRIORITY: i64 = 50;
const DEFAULT_DISK_MB: i64 = 300;

/// What the type of a job decides about defaults.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Service,
    Batch,
    System,
    SysBatch,
}

impl Kind {
    fn of(text: &str) -> Self {
        match text {
            "batch" => Self::Batch,
            "system" => Self::System,
            "sysbatch" => Self::SysBatch,
            // An unknown type is refused later, by validation; until then it is treated like the default one.
            _ => Self::Service,
        }
    }

    fn has_updates(self) -> bool {
        matches!(self, Self::Service | Self::System)
    }
}

impl JobSpec {
    /// Fills in every default. Running it twice changes nothing more.
    pub fn canonicalize(&mut self) {
        let id = self.id.clone().or_else(|| self.name.clone()).unwrap_or_default();
        fill(&mut self.name, id.as_str());
        fill(&mut self.id, id);
        fill(&mut self.stop, false);
        fill(&mut self.region, "global");
        fill(&mut self.namespace, "default");
        fill(&mut self.kind, "service");
        fill(&mut self.priority, DEFAULT_PRIORITY);
        fill(&mut self.all_at_once, false);
        fill(&mut self.stable, false);
        fill(&mut self.version, 0_u64);
        for index in [&mut self.create_index, &mut self.modify_index, &mut self.job_modify_index] {
            fill(index, 0_u64);
        }
        for text in [
            &mut self.parent_id,
            &mut self.node_pool,
            &mut self.consul_namespace,
            &mut self.vault_namespace,
            &mut self.nomad_token_id,
            &mut self.status,
            &mut self.status_description,
        ] {
            fill(text, "");
        }
        self.canonicalize_policies();
        affinities(&mut self.affinities);
        spreads(&mut self.spreads);
        let context = self.clone_without_groups();
        for group in &mut self.task_groups.0 {
            group.canonicalize(&context);
        }
    }

    fn canonicalize_policies(&mut self) {
        let kind = self.type_of();
        if let Some(update) = &mut self.update {
            update.canonicalize();
        } else if kind.has_updates() {
            self.update = Some(Update::standard());
        }
        if let Some(periodic) = &mut self.periodic {
            fill(&mut periodic.enabled, true);
            fill(&mut periodic.spec, "");
            fill(&mut periodic.spec_type, "cron");
            fill(&mut periodic.prohibit_overlap, false);
            if periodic.time_zone.as_deref().unwrap_or_default().is_empty() {
                periodic.time_zone = Some("UTC".to_owned());
            }
        }
        if let Some(multiregion) = &mut self.multiregion {
            let strategy = multiregion.strategy.get_or_insert_default();
            fill(&mut strategy.max_parallel, 0);
            fill(&mut strategy.on_failure, "");
            for region in &mut multiregion.regions.0 {
                fill(&mut region.count, 1);
            }
        }
    }

    pub(super) fn type_of(&self) -> Kind {
        Kind::of(self.kind.as_deref().unwrap_or("service"))
    }

    /// The job's own blocks, which groups inherit from; cheap because the groups stay behind.
    fn clone_without_groups(&self) -> Self {
        Self {
            id: self.id.clone(),
            kind: self.kind.clone(),
            update: self.update.clone(),
            reschedule: self.reschedule.clone(),
            migrate: self.migrate.clone(),
            ..Self::default()
        }
    }
}

impl TaskGroup {
    fn canonicalize(&mut self, job: &JobSpec) {
        fill(&mut self.name, "");
        if let Some(scaling) = &mut self.scaling {
            fill(&mut self.count, scaling.min.unwrap_or(1));
            fill_text(&mut scaling.kind, "horizontal");
            fill(&mut scaling.min, self.count.unwrap_or(1));
            fill(&mut scaling.enabled, true);
        }
        fill(&mut self.count, 1);
        let disk = self.ephemeral_disk.get_or_insert_default();
        fill(&mut disk.sticky, false);
        fill(&mut disk.migrate, false);
        fill(&mut disk.size_mb, DEFAULT_DISK_MB);
        if let Some(disconnect) = &mut self.disconnect {
            fill(&mut disconnect.replace, true);
            fill(&mut disconnect.reconcile, "best_score");
        }
        if let Some(consul) = &mut self.consul {
            fill_text(&mut consul.cluster, "default");
        }
        self.canonicalize_policies(job);
        affinities(&mut self.affinities);
        spreads(&mut self.spreads);
        let (job_id, group_name) = (job.id.as_deref().unwrap_or_default(), self.name.clone().unwrap_or_default());
        for service in &mut self.services.0 {
            service.canonicalize(&[job_id, &group_name]);
        }
        let restart = self.restart.clone().unwrap_or_default();
        for task in &mut self.tasks.0 {
            task.canonicalize(job_id, &group_name, &restart);
        }
    }

    /// The group's policies, over the job's, over the defaults of its type.
    fn canonicalize_policies(&mut self, job: &JobSpec) {
        let kind = job.type_of();
        let mut restart = Restart::standard(kind);
        if let Some(own) = &self.restart {
            restart.overlay(own);
        }
        self.restart = Some(restart);

        if kind.has_updates() {
            let mut update = job.update.clone().unwrap_or_else(Update::standard);
            if let Some(own) = &self.update {
                update.overlay(own);
            }
            update.canonicalize();
            self.update = Some(update);
        } else if let Some(update) = &mut self.update {
            update.canonicalize();
        }

        let standard = Reschedule::standard(kind);
        if standard.is_some() || job.reschedule.is_some() || self.reschedule.is_some() {
            let mut reschedule = standard.unwrap_or_default();
            for own in [&job.reschedule, &self.reschedule].into_iter().flatten() {
                reschedule.overlay(own);
            }
            self.reschedule = Some(reschedule);
        }

        if kind == Kind::Service {
            let mut migrate = Migrate::standard();
            for own in [&job.migrate, &self.migrate].into_iter().flatten() {
                overlay!(&mut migrate, own; max_parallel, health_check, min_healthy_time, healthy_deadline);
            }
            self.migrate = Some(migrate);
        }
    }
}

impl Update {
    fn standard() -> Self {
        let mut update = Self::default();
        update.canonicalize();
        update
    }

    fn canonicalize(&mut self) {
        fill(&mut self.stagger, Nanos::seconds(30));
        fill(&mut self.max_parallel, 1);
        fill(&mut self.health_check, "checks");
        fill(&mut self.min_healthy_time, Nanos::seconds(10));
        fill(&mut self.healthy_deadline, Nanos::seconds(300));
        fill(&mut self.progress_deadline, Nanos::seconds(600));
        fill(&mut self.canary, 0);
        fill(&mut self.auto_revert, false);
        fill(&mut self.auto_promote, false);
    }

    fn overlay(&mut self, own: &Self) {
        overlay!(self, own; stagger, max_parallel, health_check, min_healthy_time, healthy_deadline, progress_deadline,
            canary, auto_revert, auto_promote);
    }
}

impl Migrate {
    fn standard() -> Self {
        Self {
            max_parallel: Some(1),
            health_check: Some("checks".to_owned()),
            min_healthy_time: Some(Nanos::seconds(10)),
            healthy_deadline: Some(Nanos::seconds(300)),
        }
    }
}

impl Restart {
    fn standard(kind: Kind) -> Self {
        let (attempts, interval) = if kind.has_updates() { (2, 30 * 60) } else { (3, 24 * 3600) };
        Self {
            attempts: Some(attempts),
            interval: Some(Nanos::seconds(interval)),
            delay: Some(Nanos::seconds(15)),
            mode: Some("fail".to_owned()),
            render_templates: Some(false),
        }
    }

    pub(super) fn overlay(&mut self, own: &Self) {
        overlay!(self, own; attempts, interval, delay, mode, render_templates);
    }
}

impl Reschedule {
    /// The defaults of a type of job; system jobs are not rescheduled.
    fn standard(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Service => Some(Self {
                attempts: Some(0),
                interval: Some(Nanos(0)),
                delay: Some(Nanos::seconds(30)),
                delay_function: Some("exponential".to_owned()),
                max_delay: Some(Nanos::seconds(3600)),
                unlimited: Some(true),
            }),
            Kind::Batch => Some(Self {
                attempts: Some(1),
                interval: Some(Nanos::seconds(24 * 3600)),
                delay: Some(Nanos::seconds(5)),
                delay_function: Some("constant".to_owned()),
                max_delay: Some(Nanos(0)),
                unlimited: Some(false),
            }),
            Kind::System | Kind::SysBatch => None,
        }
    }

    fn overlay(&mut self, own: &Self) {
        overlay!(self, own; attempts, interval, delay, delay_function, max_delay, unlimited);
    }
}

pub(super) fn affinities(list: &mut List<Affinity>) {
    for affinity in &mut list.0 {
        fill(&mut affinity.weight, DEFAULT_WEIGHT);
    }
}

fn spreads(list: &mut List<Spread>) {
    for spread in &mut list.0 {
        fill(&mut spread.weight, DEFAULT_WEIGHT);
    }
}
