//! Objects have the keys that existing programs look for.

use std::collections::BTreeSet;

use super::*;

/// The keys that are missing, and those that nobody expects.
fn differences(value: &Value, keys: &str, optional: &str) -> (Vec<String>, Vec<String>) {
    let found: BTreeSet<&str> = value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect();
    let (wanted, allowed): (BTreeSet<&str>, BTreeSet<&str>) = (keys.split_whitespace().collect(), optional.split_whitespace().collect());
    let missing = wanted.difference(&found).map(|key| (*key).to_owned()).collect();
    let known: BTreeSet<&str> = wanted.union(&allowed).copied().collect();
    (missing, found.difference(&known).map(|key| (*key).to_owned()).collect())
}

const JOB: &str = "Affinities AllAtOnce Constraints ConsulNamespace CreateIndex Datacenters DispatchIdempotencyToken Dispatched ID JobModifyIndex Meta \
    ModifyIndex Multiregion Name Namespace NodePool NomadTokenID ParameterizedJob ParentID Payload Periodic Priority Region Spreads Stable Status \
    StatusDescription Stop SubmitTime TaskGroups Type UI Update VaultNamespace Version VersionTag";
const GROUP: &str = "Affinities Constraints Consul Count Disconnect EphemeralDisk MaxClientDisconnect MaxRunDuration Meta Migrate Name Networks \
    PreventRescheduleOnLost ReschedulePolicy RestartPolicy Scaling Services ShutdownDelay Spreads StopAfterClientDisconnect Tasks Update Volumes";
const STUB: &str = "CreateIndex Datacenters ID JobModifyIndex JobSummary ModifyIndex Multiregion Name Namespace NodePool ParameterizedJob ParentID \
    Periodic Priority Status StatusDescription Stop SubmitTime Type";
const ALLOC_STUB: &str = "ClientDescription ClientStatus CreateIndex CreateTime DeploymentStatus DesiredDescription DesiredStatus DesiredTransition EvalID \
    FollowupEvalID ID JobID JobType JobVersion ModifyIndex ModifyTime Name Namespace NextAllocation NodeID NodeName PreemptedAllocations \
    PreemptedByAllocation RescheduleTracker TaskGroup TaskStates";
const ALLOC: &str = "AllocModifyIndex AllocatedResources ClientDescription ClientStatus CreateIndex CreateTime DesiredStatus EvalID ID Job JobID Metrics \
    ModifyIndex ModifyTime Name Namespace NetworkStatus NodeID NodeName Resources SharedResources TaskGroup TaskResources";
const DEPLOYMENT: &str = "CreateIndex CreateTime EvalPriority ID IsMultiregion JobCreateIndex JobID JobModifyIndex JobSpecModifyIndex JobVersion \
    ModifyIndex ModifyTime Namespace Status StatusDescription TaskGroups";
const NODE_STUB: &str = "Address CreateIndex Datacenter Drain Drivers HostVolumes ID LastDrain ModifyIndex Name NodeClass NodePool \
    SchedulingEligibility Status StatusDescription Version";
const NODE: &str = "Attributes CSIControllerPlugins CSINodePlugins CgroupParent ComputedClass CreateIndex Datacenter Drain DrainStrategy Drivers Events \
    GCVolumesOnNodeGC HTTPAddr HostNetworks HostVolumes ID IdentitySigningKeyID LastAllocUpdateIndex LastDrain LastMissedHeartbeatIndex Links Meta \
    ModifyIndex Name NodeClass NodeMaxAllocs NodePool NodeResources ReservedResources SchedulingEligibility SecretID Status StatusDescription \
    StatusUpdatedAt TLSEnabled";
const EVALUATION: &str = "CreateIndex CreateTime ID JobID JobModifyIndex ModifyIndex ModifyTime Namespace Priority Status TriggeredBy Type";
const META: &str = "Index KnownLeader LastContact NextToken";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_have_the_keys_that_readers_know() {
    let agent = TestAgent::start().await;
    let registered = agent.register(&sleeper("web", 1)).await;
    agent.wait("/v1/job/web/deployment", |row| row["Status"] == "successful").await;
    let allocs = agent.get("/v1/job/web/allocations").await.json();
    let alloc = allocs[0]["ID"].as_str().unwrap();
    let nodes = agent.get("/v1/nodes").await.json();
    let node = nodes[0]["ID"].as_str().unwrap();
    let read = async |path: String| agent.get(&path).await.json();
    let job = read("/v1/job/web".to_owned()).await;
    let evaluation = read(format!("/v1/evaluation/{}", registered["EvalID"].as_str().unwrap())).await;
    let body_meta = |keys: &str| format!("{keys} {META}");
    for (what, value, keys, optional) in [
        ("register", &registered, body_meta("EvalCreateIndex EvalID JobModifyIndex Warnings").as_str(), ""),
        ("job", &job, JOB, ""),
        ("group", &job["TaskGroups"][0], GROUP, ""),
        ("job stub", &read("/v1/jobs".to_owned()).await[0], STUB, ""),
        ("alloc stub", &allocs[0], ALLOC_STUB, ""),
        (
            "allocation",
            &read(format!("/v1/allocation/{alloc}")).await,
            ALLOC,
            "AllocStates DeploymentID DeploymentStatus DesiredDescription DesiredTransition NextAllocation PreviousAllocation SigningKeyID TaskStates",
        ),
        ("deployment", &read("/v1/job/web/deployment".to_owned()).await, DEPLOYMENT, ""),
        ("node stub", &nodes[0], NODE_STUB, ""),
        ("node", &read(format!("/v1/node/{node}")).await, NODE, ""),
        ("evaluation", &evaluation, EVALUATION, "BlockedEval DeploymentID PlanAnnotations QueuedAllocations SnapshotIndex"),
        ("summary", &read("/v1/job/web/summary".to_owned()).await, "Children CreateIndex JobID ModifyIndex Namespace Summary", ""),
        ("versions", &read("/v1/job/web/versions".to_owned()).await, body_meta("Diffs Versions").as_str(), ""),
        (
            "scheduler configuration",
            &read("/v1/operator/scheduler/configuration".to_owned()).await,
            body_meta("SchedulerConfig").as_str(),
            "",
        ),
        ("raft", &read("/v1/operator/raft/configuration".to_owned()).await["Servers"][0], "Address ID Leader Node RaftProtocol Voter", ""),
        ("members", &read("/v1/agent/members".to_owned()).await, "Members ServerDC ServerName ServerRegion", ""),
        ("self", &read("/v1/agent/self".to_owned()).await, "config member stats", ""),
        ("health", &read("/v1/agent/health".to_owned()).await, "client server", ""),
        ("metrics", &read("/v1/metrics".to_owned()).await, "Counters Gauges Points Samples Timestamp", ""),
    ] {
        let (missing, unknown) = differences(value, keys, optional);
        assert!(missing.is_empty() && unknown.is_empty(), "{what}: missing {missing:?}, unknown {unknown:?}");
    }
    assert_eq!(read(format!("/v1/node/{node}")).await["SecretID"], "", "a node's secret is nobody's business");
    let found = agent.put("/v1/search", &json!({ "Prefix": "we", "Context": "jobs" })).await.json();
    assert_eq!(found["Matches"]["jobs"], json!(["web"]));
    let why = read("/v1/job/web/why".to_owned()).await;
    assert_eq!(why["Summary"], "Everything that it asks for is running.");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_run_says_why() {
    let agent = TestAgent::start().await;
    let mut job = sleeper("huge", 3);
    job["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = json!(999_999_999);
    let planned = agent.put("/v1/job/huge/plan", &json!({ "Job": job, "Diff": true })).await;
    assert_eq!(planned.status, 200, "{}", planned.text());
    assert_eq!(planned.json()["FailedTGAllocs"]["g"]["DimensionExhausted"]["memory"], 1);
    assert_eq!(agent.get("/v1/job/huge").await.status, 404, "a plan changes nothing");
    agent.register(&job).await;
    let why = agent.wait("/v1/job/huge/why", |report| report["Groups"]["g"].is_string()).await;
    let sentence = why["Groups"]["g"].as_str().unwrap();
    assert!(sentence.starts_with("3 of 3 could not be placed: fits on 0 of 1 nodes"), "{sentence}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_no_gossip_key_says_so_in_the_apis_words() {
    let agent = TestAgent::start().await;
    let list = agent.get("/v1/agent/keyring/list").await;
    assert_eq!((list.status, list.text().as_str()), (500, "1/1 nodes reported failure"));
    for verb in ["install", "use", "remove"] {
        let path = format!("/v1/agent/keyring/{verb}");
        let changed = agent.put(&path, &serde_json::json!({ "Key": "AAAAAAAAAAAAAAAAAAAAAA==" })).await;
        assert_eq!((changed.status, changed.text().as_str()), (500, "1/1 nodes reported failure"), "{verb}");
        assert_eq!(agent.get(&path).await.status, 405, "{verb}");
    }
    agent.stop().await;
}
