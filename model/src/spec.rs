//! A job as it was submitted: what a job file or a request body says, with everything optional that may be left out.
//!
//! A [`JobSpec`] prints every key, with `null` for what is absent, and reads leniently: unknown keys are skipped and `null` means "not given".
//! [`JobSpec::canonicalize`] fills in the defaults, [`admit`](admit::admit) checks it and turns it into the job that servers keep.

use serde_json::Value;

use crate::json::{List, Map};

pub use connect::*;
pub use duration::{Nanos, format_duration, parse_duration};
pub use group::*;
pub use service::*;
pub use task::*;

/// Declares a block of a submitted job: field, type and the key it has in JSON. `null` and a missing key both read as the default.
macro_rules! spec {
    ($(#[$meta:meta])* $name:ident { $( $(#[$field_meta:meta])* $field:ident: $ty:ty = $json:literal ),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(rename = $json, deserialize_with = "crate::json::null_is_default")]
                pub $field: $ty,
            )*
        }
    };
}

pub mod admit;
mod canonicalize;
mod connect;
mod duration;
mod group;
mod service;
mod settle;
mod task;
mod validate;

spec! {
    /// The whole job.
    JobSpec {
        stop: Option<bool> = "Stop",
        region: Option<String> = "Region",
        namespace: Option<String> = "Namespace",
        id: Option<String> = "ID",
        parent_id: Option<String> = "ParentID",
        name: Option<String> = "Name",
        kind: Option<String> = "Type",
        priority: Option<i64> = "Priority",
        all_at_once: Option<bool> = "AllAtOnce",
        datacenters: List<String> = "Datacenters",
        node_pool: Option<String> = "NodePool",
        constraints: List<Constraint> = "Constraints",
        affinities: List<Affinity> = "Affinities",
        task_groups: List<TaskGroup> = "TaskGroups",
        update: Option<Update> = "Update",
        multiregion: Option<Multiregion> = "Multiregion",
        spreads: List<Spread> = "Spreads",
        periodic: Option<Periodic> = "Periodic",
        parameterized: Option<Parameterized> = "ParameterizedJob",
        reschedule: Option<Reschedule> = "Reschedule",
        migrate: Option<Migrate> = "Migrate",
        meta: Map<String> = "Meta",
        ui: Option<Ui> = "UI",
        dispatched: bool = "Dispatched",
        dispatch_idempotency_token: Option<String> = "DispatchIdempotencyToken",
        payload: Option<String> = "Payload",
        consul_namespace: Option<String> = "ConsulNamespace",
        vault_namespace: Option<String> = "VaultNamespace",
        nomad_token_id: Option<String> = "NomadTokenID",
        status: Option<String> = "Status",
        status_description: Option<String> = "StatusDescription",
        stable: Option<bool> = "Stable",
        version: Option<u64> = "Version",
        version_tag: Option<VersionTag> = "VersionTag",
        submit_time: Option<i64> = "SubmitTime",
        create_index: Option<u64> = "CreateIndex",
        modify_index: Option<u64> = "ModifyIndex",
        job_modify_index: Option<u64> = "JobModifyIndex",
    }
}

spec! {
    /// A rule that a node must meet.
    Constraint {
        left: String = "LTarget",
        right: String = "RTarget",
        operand: String = "Operand",
    }
}

spec! {
    /// A rule that makes a node better or worse.
    Affinity {
        left: String = "LTarget",
        right: String = "RTarget",
        operand: String = "Operand",
        weight: Option<i64> = "Weight",
    }
}

spec! {
    /// An attribute over whose values allocations are spread.
    Spread {
        attribute: String = "Attribute",
        weight: Option<i64> = "Weight",
        targets: List<SpreadTarget> = "SpreadTarget",
    }
}

spec! {
    SpreadTarget {
        value: String = "Value",
        percent: i64 = "Percent",
    }
}

spec! {
    /// How a new version replaces the old one.
    Update {
        stagger: Option<Nanos> = "Stagger",
        max_parallel: Option<i64> = "MaxParallel",
        health_check: Option<String> = "HealthCheck",
        min_healthy_time: Option<Nanos> = "MinHealthyTime",
        healthy_deadline: Option<Nanos> = "HealthyDeadline",
        progress_deadline: Option<Nanos> = "ProgressDeadline",
        canary: Option<i64> = "Canary",
        auto_revert: Option<bool> = "AutoRevert",
        auto_promote: Option<bool> = "AutoPromote",
    }
}

spec! {
    /// The pace of drains.
    Migrate {
        max_parallel: Option<i64> = "MaxParallel",
        health_check: Option<String> = "HealthCheck",
        min_healthy_time: Option<Nanos> = "MinHealthyTime",
        healthy_deadline: Option<Nanos> = "HealthyDeadline",
    }
}

spec! {
    /// What happens on other nodes when an allocation failed for good.
    Reschedule {
        attempts: Option<i64> = "Attempts",
        interval: Option<Nanos> = "Interval",
        delay: Option<Nanos> = "Delay",
        delay_function: Option<String> = "DelayFunction",
        max_delay: Option<Nanos> = "MaxDelay",
        unlimited: Option<bool> = "Unlimited",
    }
}

spec! {
    /// When a job is launched by the clock.
    Periodic {
        enabled: Option<bool> = "Enabled",
        spec: Option<String> = "Spec",
        specs: List<String> = "Specs",
        spec_type: Option<String> = "SpecType",
        prohibit_overlap: Option<bool> = "ProhibitOverlap",
        time_zone: Option<String> = "TimeZone",
    }
}

spec! {
    /// What a dispatch must or may bring.
    Parameterized {
        payload: String = "Payload",
        meta_required: List<String> = "MetaRequired",
        meta_optional: List<String> = "MetaOptional",
    }
}

spec! {
    Ui {
        description: String = "Description",
        links: List<UiLink> = "Links",
    }
}

spec! {
    UiLink {
        label: String = "Label",
        url: String = "URL",
    }
}

spec! {
    VersionTag {
        name: String = "Name",
        description: String = "Description",
        tagged_time: i64 = "TaggedTime",
    }
}

spec! {
    Multiregion {
        strategy: Option<MultiregionStrategy> = "Strategy",
        regions: List<MultiregionRegion> = "Regions",
    }
}

spec! {
    MultiregionStrategy {
        max_parallel: Option<i64> = "MaxParallel",
        on_failure: Option<String> = "OnFailure",
    }
}

spec! {
    MultiregionRegion {
        name: String = "Name",
        count: Option<i64> = "Count",
        datacenters: List<String> = "Datacenters",
        node_pool: String = "NodePool",
        meta: Map<String> = "Meta",
    }
}

spec! {
    /// The bounds within which an autoscaler may move a count or a resource.
    Scaling {
        id: String = "ID",
        namespace: String = "Namespace",
        kind: String = "Type",
        target: Map<String> = "Target",
        min: Option<i64> = "Min",
        max: Option<i64> = "Max",
        policy: Map<Value> = "Policy",
        enabled: Option<bool> = "Enabled",
        create_index: u64 = "CreateIndex",
        modify_index: u64 = "ModifyIndex",
    }
}

#[cfg(test)]
mod tests;
