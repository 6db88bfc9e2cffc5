//! Services and checks.

use super::*;

pub(super) static SERVICE: Schema = block(
    &[
        text("name", "Name"),
        text("provider", "Provider"),
        text("port", "PortLabel"),
        text("address", "Address"),
        text("address_mode", "AddressMode"),
        texts("tags", "Tags"),
        texts("canary_tags", "CanaryTags"),
        boolean("enable_tag_override", "EnableTagOverride"),
        text("on_update", "OnUpdate"),
        text("cluster", "Cluster"),
        text("task", "TaskName"),
        text("kind", "Kind"),
    ],
    &[
        text_map("meta", "Meta"),
        text_map("canary_meta", "CanaryMeta"),
        text_map("tagged_addresses", "TaggedAddresses"),
        one("weights", "Weights", &WEIGHTS),
        many("check", "Checks", &CHECK),
        one("check_restart", "CheckRestart", &CHECK_RESTART),
        one("identity", "Identity", &task::IDENTITY),
        one("connect", "Connect", &connect::CONNECT),
    ],
);

static WEIGHTS: Schema = block(&[int("passing", "Passing"), int("warning", "Warning")], &[]);

static CHECK: Schema = block(
    &[
        text("name", "Name"),
        text("type", "Type"),
        text("command", "Command"),
        texts("args", "Args"),
        text("path", "Path"),
        text("protocol", "Protocol"),
        text("port", "PortLabel"),
        boolean("expose", "Expose"),
        text("address_mode", "AddressMode"),
        text("advertise", "Advertise"),
        duration("interval", "Interval"),
        duration("timeout", "Timeout"),
        text("initial_status", "InitialStatus"),
        text("notes", "Notes"),
        text("tls_server_name", "TLSServerName"),
        boolean("tls_skip_verify", "TLSSkipVerify"),
        text("method", "Method"),
        text("grpc_service", "GRPCService"),
        boolean("grpc_use_tls", "GRPCUseTLS"),
        text("task", "TaskName"),
        int("success_before_passing", "SuccessBeforePassing"),
        int("failures_before_critical", "FailuresBeforeCritical"),
        int("failures_before_warning", "FailuresBeforeWarning"),
        text("body", "Body"),
        text("on_update", "OnUpdate"),
    ],
    &[
        Nested { name: "header", key: "Header", arity: Arity::One, label: None, shape: Shape::TextsMap },
        one("check_restart", "CheckRestart", &CHECK_RESTART),
    ],
);

static CHECK_RESTART: Schema =
    block(&[int("limit", "Limit"), duration("grace", "Grace"), boolean("ignore_warnings", "IgnoreWarnings")], &[]);
