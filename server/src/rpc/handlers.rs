//! Which function answers which message.
//!
//! Reads are answered here when they may be stale or this server leads, else by the leader. Writes are the leader's.

use std::{sync::Arc, time::Duration};

use drover_model::rpc::{
    Error, Method, Read, ReadOptions,
    allocation::{AllocationGet, AllocationList, AllocationNode, AllocationServices, AllocationStop},
    autopilot::{AutopilotGet, AutopilotHealthGet, AutopilotSet},
    deployment::{
        DeploymentAllocHealth, DeploymentAllocations, DeploymentFail, DeploymentGet, DeploymentList, DeploymentPause, DeploymentPromote,
    },
    evaluation::{EvaluationAllocations, EvaluationGet, EvaluationList},
    job::{
        JobActions, JobAllocations, JobDeployments, JobDeregister, JobDispatch, JobEvaluate, JobEvaluations, JobGet, JobLatestDeployment,
        JobList, JobPeriodicForce, JobPlan, JobRegister, JobRevert, JobScale, JobScaleGet, JobServices, JobStable, JobStatuses,
        JobSubmissionGet, JobSummaryGet, JobTag, JobValidate, JobVersions, JobWhy,
    },
    namespace::{NamespaceDelete, NamespaceGet, NamespaceList, NamespacePut, NodePoolDelete, NodePoolGet, NodePoolList, NodePoolPut},
    nodes::{ClientCall, NodeAllocationList, NodeDrain, NodeEligibility, NodeEvaluate, NodeGet, NodeList, NodePurge},
    operator::{RaftConfigurationGet, SchedulerConfigGet, SchedulerConfigSet, ServerInfo, ServerMetrics, SystemGc},
    quota::{QuotaDelete, QuotaGet, QuotaList, QuotaPut, QuotaUsageGet, QuotaUsageList},
    scaling::{ScalingPolicyGet, ScalingPolicyList},
    search::Search,
    service::ServiceDelete,
    snapshot::SnapshotRestore,
    status::{LeaderGet, PeersGet, RegionList},
    volume::{VolumeCreate, VolumeDelete, VolumeGet, VolumeList, VolumeRegister},
};
use drover_runtime::rpc::{Caller, Handle, Router};

use super::{
    Desk, Found, allocations, catalogue, deployments, dispatch, evaluations, job_reads, job_writes, namespaces, nodes, operator, plan,
    quotas, register, scaling, search, volumes, why,
};
use crate::{
    Server,
    reading::MAX_WAIT,
    state::{State, TableId},
};

impl Server {
    pub(super) fn desk(&self) -> Desk<'_> {
        Desk { store: self.store(), proposer: self.consensus(), runtime: self.runtime(), region: &self.config().region }
    }

    /// Reads with a function of the state. Changes of the one object that it found end a wait; those of others do not.
    async fn look<T>(
        &self,
        options: &ReadOptions,
        tables: &[TableId],
        look: impl Fn(&State) -> Result<Found<T>, Error>,
    ) -> Result<Read<T>, Error> {
        let Read { mut meta, data } = self
            .read_at(options, tables, |state| {
                let found = look(state);
                let index = found.as_ref().ok().and_then(|found| found.index);
                (index.unwrap_or_else(|| state.index_of(tables)), found)
            })
            .await?;
        let found = data?;
        meta.next_token = found.next_token;
        Ok(Read { meta, data: found.data })
    }
}

/// Beyond the time that a blocking read may wait.
const READ_MARGIN: Duration = Duration::from_secs(30);
/// How often a read looks for a leader anew, when the one that it asked has gone.
const READ_TRIES: u32 = 3;
/// Before it does.
const READ_PAUSE: Duration = Duration::from_millis(200);

impl Server {
    /// Lets the leader answer a read, however long it may wait; none when this server leads. Reading twice does no harm, so a leader that goes is no error.
    pub(super) async fn read_elsewhere<M: Method>(
        &self,
        caller: &Caller,
        message: &M,
        options: &ReadOptions,
    ) -> Result<Option<M::Reply>, Error> {
        let wait = if options.min_index == 0 { Duration::ZERO } else { options.max_wait.unwrap_or(MAX_WAIT).min(MAX_WAIT) };
        let mut tries = READ_TRIES;
        loop {
            let Some(leader) = self.leader_elsewhere(caller).await? else { return Ok(None) };
            match leader.call(&caller.header(), message, wait + READ_MARGIN).await {
                Err(error) if error.is_unavailable() && leader.is_closed() && tries > 0 => {
                    tries -= 1;
                    tokio::time::sleep(READ_PAUSE).await;
                }
                reply => return reply.map(Some),
            }
        }
    }
}

/// `Message: function, tables`: a read.
macro_rules! reads {
    ($($message:ty: $function:path, [$($table:ident),+];)+) => {$(
        impl Handle<$message> for Server {
            async fn handle(&self, caller: Caller, message: $message) -> Result<<$message as Method>::Reply, Error> {
                if !message.options.stale && let Some(reply) = self.read_elsewhere(&caller, &message, &message.options).await? {
                    return Ok(reply);
                }
                self.look(&message.options, &[$(TableId::$table),+], |state| $function(state, &message)).await
            }
        }
    )+};
}

/// `Message: function`: a write, or whatever else only the leader can say.
macro_rules! writes {
    ($($message:ty: $function:path;)+) => {$(
        impl Handle<$message> for Server {
            async fn handle(&self, caller: Caller, message: $message) -> Result<<$message as Method>::Reply, Error> {
                if let Some(leader) = self.leader_elsewhere(&caller).await? {
                    return self.pass_on(&leader, &caller, &message).await;
                }
                $function(self.desk(), message).await
            }
        }
    )+};
}

reads! {
    JobGet: job_reads::get, [Jobs];
    JobList: job_reads::list, [Jobs, Summaries];
    JobStatuses: job_reads::statuses, [Jobs, Allocations, Deployments];
    JobVersions: job_reads::versions, [Jobs];
    JobAllocations: job_reads::allocations, [Allocations];
    JobEvaluations: job_reads::evaluations, [Evaluations];
    JobDeployments: job_reads::deployments, [Deployments];
    JobLatestDeployment: job_reads::latest_deployment, [Deployments];
    JobSummaryGet: job_reads::summary, [Summaries];
    JobSubmissionGet: job_reads::submission, [Jobs];
    JobServices: job_reads::services, [Services];
    JobActions: job_reads::actions, [Jobs];
    JobScaleGet: job_reads::scale_status, [Jobs, Allocations, Scaling];
    JobWhy: why::why, [Jobs, Evaluations, Allocations];
    AllocationList: allocations::list, [Allocations];
    AllocationGet: allocations::get, [Allocations];
    AllocationServices: allocations::services, [Services];
    EvaluationList: evaluations::list, [Evaluations];
    EvaluationGet: evaluations::get, [Evaluations];
    EvaluationAllocations: evaluations::allocations, [Allocations];
    DeploymentList: deployments::list, [Deployments];
    DeploymentGet: deployments::get, [Deployments];
    DeploymentAllocations: deployments::allocations, [Allocations];
    NodeList: nodes::list, [Nodes];
    NodeGet: nodes::get, [Nodes];
    NodeAllocationList: nodes::allocations, [Allocations];
    NamespaceList: namespaces::list, [Namespaces];
    NamespaceGet: namespaces::get, [Namespaces];
    NodePoolList: namespaces::pools, [NodePools];
    NodePoolGet: namespaces::pool, [NodePools];
    VolumeList: volumes::list, [Volumes, Nodes];
    VolumeGet: volumes::get, [Volumes, Nodes, Allocations];
    QuotaList: quotas::list, [Quotas];
    QuotaGet: quotas::get, [Quotas];
    QuotaUsageList: quotas::usages, [Quotas, Namespaces, Allocations, Variables];
    QuotaUsageGet: quotas::usage, [Quotas, Namespaces, Allocations, Variables];
    SchedulerConfigGet: operator::scheduler_config, [SchedulerConfig];
    ScalingPolicyList: scaling::policies, [Jobs];
    ScalingPolicyGet: scaling::policy, [Jobs];
    Search: search::search, [Jobs, Nodes, Allocations, Evaluations, Deployments];
}

writes! {
    JobRegister: register::register;
    JobDeregister: job_writes::deregister;
    JobEvaluate: job_writes::evaluate;
    JobRevert: job_writes::revert;
    JobStable: job_writes::stable;
    JobScale: scaling::scale;
    JobTag: job_writes::tag;
    JobDispatch: dispatch::dispatch;
    JobPeriodicForce: dispatch::force_periodic;
    JobPlan: planned;
    AllocationStop: allocations::stop;
    DeploymentPromote: deployments::promote;
    DeploymentFail: deployments::fail;
    DeploymentPause: deployments::pause;
    DeploymentAllocHealth: deployments::alloc_health;
    NodeDrain: nodes::drain;
    NodeEligibility: nodes::eligibility;
    NodePurge: nodes::purge;
    NodeEvaluate: nodes::evaluate;
    ServiceDelete: catalogue::delete;
    NamespacePut: namespaces::put;
    NamespaceDelete: namespaces::delete;
    NodePoolPut: namespaces::put_pool;
    NodePoolDelete: namespaces::delete_pool;
    VolumeRegister: volumes::register;
    QuotaPut: quotas::put;
    QuotaDelete: quotas::delete;
    SchedulerConfigSet: operator::set_scheduler_config;
    AutopilotSet: operator::set_autopilot;
}

async fn planned(desk: Desk<'_>, message: JobPlan) -> Result<<JobPlan as Method>::Reply, Error> {
    plan::plan(desk, message)
}

impl Handle<JobValidate> for Server {
    async fn handle(&self, _caller: Caller, message: JobValidate) -> Result<<JobValidate as Method>::Reply, Error> {
        Ok(register::validate(&self.store().snapshot(), message))
    }
}

impl Handle<AllocationNode> for Server {
    async fn handle(&self, _caller: Caller, message: AllocationNode) -> Result<<AllocationNode as Method>::Reply, Error> {
        Ok(allocations::node(&self.store().snapshot(), &message))
    }
}

/// Every handler of this folder.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    let (streaming, telling, saving) = (Arc::clone(server), Arc::clone(server), Arc::clone(server));
    let jobs = Router::new()
        .handle::<JobRegister>(Arc::clone(server))
        .handle::<JobValidate>(Arc::clone(server))
        .handle::<JobPlan>(Arc::clone(server))
        .handle::<JobDeregister>(Arc::clone(server))
        .handle::<JobEvaluate>(Arc::clone(server))
        .handle::<JobRevert>(Arc::clone(server))
        .handle::<JobStable>(Arc::clone(server))
        .handle::<JobScale>(Arc::clone(server))
        .handle::<JobTag>(Arc::clone(server))
        .handle::<ScalingPolicyList>(Arc::clone(server))
        .handle::<ScalingPolicyGet>(Arc::clone(server))
        .handle::<JobDispatch>(Arc::clone(server))
        .handle::<JobPeriodicForce>(Arc::clone(server))
        .handle::<JobGet>(Arc::clone(server))
        .handle::<JobList>(Arc::clone(server))
        .handle::<JobStatuses>(Arc::clone(server))
        .handle::<JobVersions>(Arc::clone(server))
        .handle::<JobAllocations>(Arc::clone(server))
        .handle::<JobEvaluations>(Arc::clone(server))
        .handle::<JobDeployments>(Arc::clone(server))
        .handle::<JobLatestDeployment>(Arc::clone(server))
        .handle::<JobSummaryGet>(Arc::clone(server))
        .handle::<JobSubmissionGet>(Arc::clone(server))
        .handle::<JobServices>(Arc::clone(server))
        .handle::<JobActions>(Arc::clone(server))
        .handle::<JobScaleGet>(Arc::clone(server))
        .handle::<JobWhy>(Arc::clone(server));
    let rest = Router::new()
        .handle::<AllocationList>(Arc::clone(server))
        .handle::<AllocationGet>(Arc::clone(server))
        .handle::<AllocationServices>(Arc::clone(server))
        .handle::<AllocationNode>(Arc::clone(server))
        .handle::<AllocationStop>(Arc::clone(server))
        .handle::<EvaluationList>(Arc::clone(server))
        .handle::<EvaluationGet>(Arc::clone(server))
        .handle::<EvaluationAllocations>(Arc::clone(server))
        .handle::<DeploymentList>(Arc::clone(server))
        .handle::<DeploymentGet>(Arc::clone(server))
        .handle::<DeploymentAllocations>(Arc::clone(server))
        .handle::<DeploymentPromote>(Arc::clone(server))
        .handle::<DeploymentFail>(Arc::clone(server))
        .handle::<DeploymentPause>(Arc::clone(server))
        .handle::<DeploymentAllocHealth>(Arc::clone(server))
        .handle::<NodeList>(Arc::clone(server))
        .handle::<NodeGet>(Arc::clone(server))
        .handle::<NodeAllocationList>(Arc::clone(server))
        .handle::<NodeDrain>(Arc::clone(server))
        .handle::<NodeEligibility>(Arc::clone(server))
        .handle::<NodePurge>(Arc::clone(server))
        .handle::<NodeEvaluate>(Arc::clone(server))
        .handle::<ClientCall>(Arc::clone(server))
        .handle::<ServiceDelete>(Arc::clone(server))
        .handle::<NamespaceList>(Arc::clone(server))
        .handle::<NamespaceGet>(Arc::clone(server))
        .handle::<NamespacePut>(Arc::clone(server))
        .handle::<NamespaceDelete>(Arc::clone(server))
        .handle::<NodePoolList>(Arc::clone(server))
        .handle::<NodePoolGet>(Arc::clone(server))
        .handle::<NodePoolPut>(Arc::clone(server))
        .handle::<NodePoolDelete>(Arc::clone(server))
        .handle::<VolumeList>(Arc::clone(server))
        .handle::<VolumeGet>(Arc::clone(server))
        .handle::<VolumeRegister>(Arc::clone(server))
        .handle::<VolumeCreate>(Arc::clone(server))
        .handle::<VolumeDelete>(Arc::clone(server))
        .handle::<QuotaList>(Arc::clone(server))
        .handle::<QuotaGet>(Arc::clone(server))
        .handle::<QuotaUsageList>(Arc::clone(server))
        .handle::<QuotaUsageGet>(Arc::clone(server))
        .handle::<QuotaPut>(Arc::clone(server))
        .handle::<QuotaDelete>(Arc::clone(server))
        .handle::<SchedulerConfigGet>(Arc::clone(server))
        .handle::<SchedulerConfigSet>(Arc::clone(server))
        .handle::<RaftConfigurationGet>(Arc::clone(server))
        .handle::<SystemGc>(Arc::clone(server))
        .handle::<ServerMetrics>(Arc::clone(server))
        .handle::<ServerInfo>(Arc::clone(server))
        .handle::<Search>(Arc::clone(server))
        .handle::<LeaderGet>(Arc::clone(server))
        .handle::<PeersGet>(Arc::clone(server))
        .handle::<RegionList>(Arc::clone(server))
        .handle::<AutopilotGet>(Arc::clone(server))
        .handle::<AutopilotSet>(Arc::clone(server))
        .handle::<AutopilotHealthGet>(Arc::clone(server))
        .stream(move |caller, message, sink| {
            let server = Arc::clone(&streaming);
            async move { server.stream_client(caller, message, sink).await }
        })
        .stream(move |caller, message, sink| {
            let server = Arc::clone(&telling);
            async move { server.stream_events(caller, message, sink).await }
        })
        .handle::<SnapshotRestore>(Arc::clone(server))
        .stream(move |caller, message, sink| {
            let server = Arc::clone(&saving);
            async move { server.stream_snapshot(caller, message, sink).await }
        });
    jobs.merge(rest)
}
