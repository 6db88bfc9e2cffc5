//! Which parts of a job are compared, under which names, and how.

/// How the value behind a key is compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// One block.
    One(&'static Table),
    /// A list of blocks, told apart by these keys; by all of their content when there are none.
    Many(&'static [&'static str], &'static Table),
    /// Blocks by name.
    Named(&'static Table),
    /// A list of plain values whose order means nothing.
    Values,
    /// Whatever a driver or autoscaler understands: flattened to paths.
    Free,
}

/// A block: which of its values stay out, which are maps or lists shown value by value, and its inner blocks in the order they are shown.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) hidden: &'static [&'static str],
    /// Keys that are always looked at, with what they are when the JSON leaves them out.
    pub(super) defaults: &'static [(&'static str, &'static str)],
    /// Maps of text, shown as `Key[name]`, and lists whose order matters, shown as `Key[0]`.
    pub(super) spread_out: &'static [&'static str],
    pub(super) blocks: &'static [Block],
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) key: &'static str,
    /// The name in a diff.
    pub(super) name: &'static str,
    pub(super) form: Form,
}

const fn one(key: &'static str, name: &'static str, table: &'static Table) -> Block {
    Block { key, name, form: Form::One(table) }
}

const fn many(key: &'static str, name: &'static str, by: &'static [&'static str], table: &'static Table) -> Block {
    Block { key, name, form: Form::Many(by, table) }
}

const fn values(key: &'static str) -> Block {
    Block { key, name: key, form: Form::Values }
}

const fn free(key: &'static str) -> Block {
    Block { key, name: key, form: Form::Free }
}

const fn table(blocks: &'static [Block]) -> Table {
    Table { hidden: &[], defaults: &[], spread_out: MAPS, blocks }
}

/// Wherever they stand, these are maps of text or ordered lists.
const MAPS: &[&str] = &[
    "Meta",
    "Env",
    "CanaryMeta",
    "TaggedAddresses",
    "GetterOptions",
    "GetterHeaders",
    "ExtraClaims",
    "Header",
    "Args",
    "Target",
    "Options",
    "Searches",
    "Servers",
    "MountFlags",
];

static PLAIN: Table = table(&[]);

/// What people do not write, or what is too large to show.
const SERVER_OWNED: &[&str] = &[
    "ID",
    "ParentID",
    "Status",
    "StatusDescription",
    "Stable",
    "Version",
    "VersionTag",
    "SubmitTime",
    "CreateIndex",
    "ModifyIndex",
    "JobModifyIndex",
    "NomadTokenID",
    "DispatchIdempotencyToken",
    "Payload",
    "Update",
    "TaskGroups",
];

pub(super) static JOB: Table = Table {
    hidden: SERVER_OWNED,
    defaults: &[],
    spread_out: MAPS,
    blocks: &[
        values("Datacenters"),
        many("Constraints", "Constraint", &[], &PLAIN),
        many("Affinities", "Affinity", &[], &PLAIN),
        many("Spreads", "Spread", &["Attribute"], &SPREAD),
        one("Periodic", "Periodic", &PERIODIC),
        one("ParameterizedJob", "ParameterizedJob", &PARAMETERIZED),
        one("Multiregion", "Multiregion", &MULTIREGION),
        one("UI", "UI", &UI),
    ],
};

static SPREAD: Table = table(&[many("SpreadTarget", "SpreadTarget", &["Value"], &PLAIN)]);
static PERIODIC: Table = table(&[values("Specs")]);
static PARAMETERIZED: Table = table(&[values("MetaRequired"), values("MetaOptional")]);
static MULTIREGION: Table = table(&[one("Strategy", "Strategy", &PLAIN), many("Regions", "Region", &["Name"], &REGION)]);
static REGION: Table = table(&[values("Datacenters")]);
static UI: Table = table(&[many("Links", "Link", &["Label"], &PLAIN)]);

pub(super) static GROUP: Table = Table {
    hidden: &["Name", "Tasks"],
    defaults: &[],
    spread_out: MAPS,
    blocks: &[
        many("Constraints", "Constraint", &[], &PLAIN),
        many("Affinities", "Affinity", &[], &PLAIN),
        many("Spreads", "Spread", &["Attribute"], &SPREAD),
        one("RestartPolicy", "RestartPolicy", &PLAIN),
        one("Migrate", "Migrate", &PLAIN),
        one("ReschedulePolicy", "ReschedulePolicy", &PLAIN),
        one("EphemeralDisk", "EphemeralDisk", &PLAIN),
        one("Disconnect", "Disconnect", &PLAIN),
        one("Update", "Update", &UPDATE),
        many("Networks", "Network", &["Mode"], &NETWORK),
        many("Services", "Service", &["Name", "PortLabel"], &SERVICE),
        Block { key: "Volumes", name: "Volume", form: Form::Named(&VOLUME) },
        one("Consul", "Consul", &PLAIN),
        one("Scaling", "Scaling", &SCALING),
    ],
};

static UPDATE: Table = Table { hidden: &["Stagger"], ..table(&[]) };

static NETWORK: Table = Table {
    hidden: &["Device", "CIDR", "IP", "MBits"],
    defaults: &[("Hostname", ""), ("Mode", "")],
    spread_out: MAPS,
    blocks: &[
        one("DNS", "DNS", &PLAIN),
        many("ReservedPorts", "Static Port", &["Label"], &STATIC_PORT),
        many("DynamicPorts", "Dynamic Port", &["Label"], &DYNAMIC_PORT),
    ],
};

static STATIC_PORT: Table = Table { defaults: &[("To", "0")], ..table(&[]) };
static DYNAMIC_PORT: Table = Table { hidden: &["Value"], defaults: &[("To", "0")], ..table(&[]) };
static VOLUME: Table = table(&[one("MountOptions", "MountOptions", &PLAIN)]);
static SCALING: Table = Table { hidden: &["ID", "Namespace", "CreateIndex", "ModifyIndex"], ..table(&[free("Policy")]) };

static SERVICE: Table = table(&[
    values("Tags"),
    values("CanaryTags"),
    one("Weights", "Weights", &PLAIN),
    many("Checks", "Check", &["Name", "Type", "Path", "PortLabel"], &CHECK),
    one("Connect", "ConsulConnect", &CONNECT),
    one("Identity", "Identity", &IDENTITY),
]);

static CHECK: Table = table(&[one("CheckRestart", "CheckRestart", &PLAIN)]);
static CONNECT: Table = table(&[free("Gateway"), free("SidecarService"), free("SidecarTask")]);
static IDENTITY: Table = table(&[values("Audience")]);

pub(super) static TASK: Table = Table {
    hidden: &["Name"],
    defaults: &[],
    spread_out: MAPS,
    blocks: &[
        many("Constraints", "Constraint", &[], &PLAIN),
        many("Affinities", "Affinity", &[], &PLAIN),
        free("Config"),
        one("Resources", "Resources", &RESOURCES),
        one("RestartPolicy", "RestartPolicy", &PLAIN),
        one("LogConfig", "LogConfig", &PLAIN),
        one("Lifecycle", "Lifecycle", &PLAIN),
        one("DispatchPayload", "DispatchPayload", &PLAIN),
        many("Artifacts", "Artifact", &["GetterSource", "RelativeDest"], &PLAIN),
        many("Services", "Service", &["Name", "PortLabel"], &SERVICE),
        one("Vault", "Vault", &VAULT),
        one("Consul", "Consul", &PLAIN),
        many("Templates", "Template", &["DestPath"], &TEMPLATE),
        many("VolumeMounts", "VolumeMount", &["Destination"], &PLAIN),
        one("CSIPluginConfig", "CSIPluginConfig", &PLAIN),
        one("Identity", "Identity", &IDENTITY),
        many("Identities", "Identity", &["Name"], &IDENTITY),
        many("Actions", "Action", &["Name"], &PLAIN),
        one("Schedule", "Schedule", &SCHEDULE),
        many("Secrets", "Secret", &["Name"], &SECRET),
        many("ScalingPolicies", "Scaling", &["Type"], &SCALING),
    ],
};

static RESOURCES: Table =
    table(&[many("Networks", "Network", &["Mode"], &NETWORK), many("Devices", "Device", &["Name"], &DEVICE), one("NUMA", "NUMA", &NUMA)]);
static DEVICE: Table = table(&[many("Constraints", "Constraint", &[], &PLAIN), many("Affinities", "Affinity", &[], &PLAIN)]);
static NUMA: Table = table(&[values("Devices")]);
static VAULT: Table = table(&[values("Policies")]);
static TEMPLATE: Table = table(&[one("ChangeScript", "ChangeScript", &PLAIN), one("Wait", "Wait", &PLAIN)]);
static SCHEDULE: Table = table(&[one("Cron", "Cron", &PLAIN)]);
static SECRET: Table = table(&[free("Config")]);
