//! Whole clients, with servers that only write down what they are told.

use std::{collections::BTreeMap, path::Path};

use drover_model::{
    allocation::{AllocDeploymentStatus, AllocationBatch, AllocationReport, DesiredStatus, TaskPhase, TaskState},
    ids::DeploymentId,
    job::{Job, JobType, Lifecycle, LifecycleHook, RestartMode, RestartPolicy, Service, Task, TaskGroup, UpdateStrategy},
    rpc::{
        self,
        client::{AllocRestart, AllocSignal},
        node::{
            NodeAllocations, NodeHeartbeat, NodeRegister, NodeReport, NodeReportReply, NodeWelcome, ServicesRemove, ServicesUpsert,
            SignIdentities, SignedIdentities,
        },
    },
    service::ServiceRegistration,
};
use drover_runtime::rpc::{Dispatch, ItemStream};
use futures::FutureExt;
use serde_json::json;

use super::*;
use crate::{
    drivers::{Driver, MockDriver, RawExec},
    servers::{Reply, Servers},
    templates::{Sources, TaskContext},
};

mod contact;
mod lifecycle;
mod restart;
mod rolling;
mod support;
mod templates;

use support::*;
