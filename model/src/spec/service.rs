//! Services, their checks and weights.

use super::*;

spec! {
    Service {
        name: String = "Name",
        tags: List<String> = "Tags",
        canary_tags: List<String> = "CanaryTags",
        enable_tag_override: bool = "EnableTagOverride",
        port_label: String = "PortLabel",
        address_mode: String = "AddressMode",
        address: String = "Address",
        checks: List<Check> = "Checks",
        check_restart: Option<CheckRestart> = "CheckRestart",
        connect: Option<Connect> = "Connect",
        meta: Map<String> = "Meta",
        canary_meta: Map<String> = "CanaryMeta",
        tagged_addresses: Map<String> = "TaggedAddresses",
        task_name: String = "TaskName",
        on_update: String = "OnUpdate",
        identity: Option<Identity> = "Identity",
        weights: Option<Weights> = "Weights",
        provider: String = "Provider",
        cluster: String = "Cluster",
        kind: String = "Kind",
    }
}

spec! {
    Weights {
        passing: i64 = "Passing",
        warning: i64 = "Warning",
    }
}

spec! {
    Check {
        name: String = "Name",
        kind: String = "Type",
        command: String = "Command",
        args: List<String> = "Args",
        path: String = "Path",
        protocol: String = "Protocol",
        port_label: String = "PortLabel",
        expose: bool = "Expose",
        address_mode: String = "AddressMode",
        advertise: String = "Advertise",
        interval: Nanos = "Interval",
        timeout: Nanos = "Timeout",
        initial_status: String = "InitialStatus",
        notes: String = "Notes",
        tls_server_name: String = "TLSServerName",
        tls_skip_verify: bool = "TLSSkipVerify",
        header: Map<Vec<String>> = "Header",
        method: String = "Method",
        check_restart: Option<CheckRestart> = "CheckRestart",
        grpc_service: String = "GRPCService",
        grpc_use_tls: bool = "GRPCUseTLS",
        task_name: String = "TaskName",
        success_before_passing: i64 = "SuccessBeforePassing",
        failures_before_critical: i64 = "FailuresBeforeCritical",
        failures_before_warning: i64 = "FailuresBeforeWarning",
        body: String = "Body",
        on_update: String = "OnUpdate",
    }
}

spec! {
    CheckRestart {
        limit: i64 = "Limit",
        grace: Option<Nanos> = "Grace",
        ignore_warnings: bool = "IgnoreWarnings",
    }
}
