//! The job and the blocks that job and group share.

use super::*;

pub(crate) static JOB: Schema = Schema {
    arguments: &[
        text("id", "ID"),
        text("name", "Name"),
        text("type", "Type"),
        text("region", "Region"),
        text("namespace", "Namespace"),
        texts("datacenters", "Datacenters"),
        text("node_pool", "NodePool"),
        int("priority", "Priority"),
        boolean("all_at_once", "AllAtOnce"),
    ],
    blocks: &[
        text_map("meta", "Meta"),
        many("constraint", "Constraints", &CONSTRAINT),
        many("affinity", "Affinities", &AFFINITY),
        many("spread", "Spreads", &SPREAD),
        one("update", "Update", &UPDATE),
        one("migrate", "Migrate", &MIGRATE),
        one("reschedule", "Reschedule", &RESCHEDULE),
        one("periodic", "Periodic", &PERIODIC),
        one("parameterized", "ParameterizedJob", &PARAMETERIZED),
        one("multiregion", "Multiregion", &MULTIREGION),
        one("ui", "UI", &UI),
        labelled("group", "TaskGroups", "Name", &group::GROUP),
        labelled("task", "@tasks", "Name", &task::TASK),
        one("vault", "@vault", &task::VAULT),
        labelled("secret", "@secrets", "Name", &task::SECRET),
    ],
    finish: Some(finish::job),
};

pub(super) static CONSTRAINT: Schema = Schema {
    arguments: &[
        text("attribute", "LTarget"),
        text("value", "RTarget"),
        text("operator", "Operand"),
        text("version", "@version"),
        text("semver", "@semver"),
        text("regexp", "@regexp"),
        text("set_contains", "@set_contains"),
        text("set_contains_any", IGNORED),
        text("distinct_property", "@distinct_property"),
        text("distinct_hosts", "@distinct_hosts"),
    ],
    blocks: &[],
    finish: Some(finish::constraint),
};

pub(super) static AFFINITY: Schema = Schema {
    arguments: &[
        text("attribute", "LTarget"),
        text("value", "RTarget"),
        text("operator", "Operand"),
        int("weight", "Weight"),
        text("version", "@version"),
        text("semver", "@semver"),
        text("regexp", "@regexp"),
        text("set_contains", "@set_contains"),
        text("set_contains_any", "@set_contains_any"),
        text("set_contains_all", "@set_contains_all"),
    ],
    blocks: &[],
    finish: Some(finish::constraint),
};

pub(super) static SPREAD: Schema =
    block(&[text("attribute", "Attribute"), int("weight", "Weight")], &[labelled("target", "SpreadTarget", "Value", &SPREAD_TARGET)]);

static SPREAD_TARGET: Schema = block(&[int("percent", "Percent")], &[]);

pub(super) static UPDATE: Schema = block(
    &[
        duration("stagger", "Stagger"),
        int("max_parallel", "MaxParallel"),
        text("health_check", "HealthCheck"),
        duration("min_healthy_time", "MinHealthyTime"),
        duration("healthy_deadline", "HealthyDeadline"),
        duration("progress_deadline", "ProgressDeadline"),
        int("canary", "Canary"),
        boolean("auto_revert", "AutoRevert"),
        boolean("auto_promote", "AutoPromote"),
    ],
    &[],
);

pub(super) static MIGRATE: Schema = block(
    &[
        int("max_parallel", "MaxParallel"),
        text("health_check", "HealthCheck"),
        duration("min_healthy_time", "MinHealthyTime"),
        duration("healthy_deadline", "HealthyDeadline"),
    ],
    &[],
);

pub(super) static RESCHEDULE: Schema = block(
    &[
        int("attempts", "Attempts"),
        duration("interval", "Interval"),
        duration("delay", "Delay"),
        text("delay_function", "DelayFunction"),
        duration("max_delay", "MaxDelay"),
        boolean("unlimited", "Unlimited"),
    ],
    &[],
);

static PERIODIC: Schema = Schema {
    arguments: &[
        text("cron", "Spec"),
        texts("crons", "Specs"),
        boolean("enabled", "Enabled"),
        boolean("prohibit_overlap", "ProhibitOverlap"),
        text("time_zone", "TimeZone"),
    ],
    blocks: &[],
    finish: Some(finish::periodic),
};

static PARAMETERIZED: Schema =
    block(&[text("payload", "Payload"), texts("meta_required", "MetaRequired"), texts("meta_optional", "MetaOptional")], &[]);

static MULTIREGION: Schema =
    block(&[], &[one("strategy", "Strategy", &MULTIREGION_STRATEGY), labelled("region", "Regions", "Name", &MULTIREGION_REGION)]);

static MULTIREGION_STRATEGY: Schema = block(&[int("max_parallel", "MaxParallel"), text("on_failure", "OnFailure")], &[]);

static MULTIREGION_REGION: Schema =
    block(&[int("count", "Count"), texts("datacenters", "Datacenters"), text("node_pool", "NodePool")], &[text_map("meta", "Meta")]);

static UI: Schema = block(&[text("description", "Description")], &[many("link", "Links", &UI_LINK)]);

static UI_LINK: Schema = block(&[text("label", "Label"), text("url", "URL")], &[]);
