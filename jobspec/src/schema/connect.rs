//! Consul Connect.

use super::*;

pub(super) static CONNECT: Schema = block(
    &[boolean("native", "Native")],
    &[
        one("sidecar_service", "SidecarService", &SIDECAR_SERVICE),
        one("sidecar_task", "SidecarTask", &SIDECAR_TASK),
        one("gateway", "Gateway", &GATEWAY),
    ],
);

static SIDECAR_SERVICE: Schema = block(
    &[texts("tags", "Tags"), text("port", "Port"), boolean("disable_default_tcp_check", "DisableDefaultTCPCheck")],
    &[text_map("meta", "Meta"), one("proxy", "Proxy", &PROXY)],
);

static SIDECAR_TASK: Schema = block(
    &[
        text("name", "Name"),
        text("driver", "Driver"),
        text("user", "User"),
        duration("kill_timeout", "KillTimeout"),
        duration("shutdown_delay", "ShutdownDelay"),
        text("kill_signal", "KillSignal"),
    ],
    &[
        free("config", "Config"),
        text_map("env", "Env"),
        text_map("meta", "Meta"),
        one("resources", "Resources", &task::RESOURCES),
        one("logs", "LogConfig", &task::LOGS),
        many("volume_mount", "VolumeMounts", &task::VOLUME_MOUNT),
        many("identity", "Identities", &task::IDENTITY),
    ],
);

static PROXY: Schema = block(
    &[text("local_service_address", "LocalServiceAddress"), int("local_service_port", "LocalServicePort")],
    &[
        many("upstreams", "Upstreams", &UPSTREAM),
        one("expose", "Expose", &EXPOSE),
        one("transparent_proxy", "TransparentProxy", &TRANSPARENT_PROXY),
        free("config", "Config"),
    ],
);

static UPSTREAM: Schema = block(
    &[
        text("destination_name", "DestinationName"),
        text("destination_namespace", "DestinationNamespace"),
        text("destination_peer", "DestinationPeer"),
        text("destination_partition", "DestinationPartition"),
        text("destination_type", "DestinationType"),
        int("local_bind_port", "LocalBindPort"),
        text("local_bind_address", "LocalBindAddress"),
        text("local_bind_socket_path", "LocalBindSocketPath"),
        text("local_bind_socket_mode", "LocalBindSocketMode"),
        text("datacenter", "Datacenter"),
    ],
    &[one("mesh_gateway", "MeshGateway", &MESH_GATEWAY), free("config", "Config")],
);

static MESH_GATEWAY: Schema = block(&[text("mode", "Mode")], &[]);

static EXPOSE: Schema = block(&[], &[many("path", "Paths", &EXPOSE_PATH)]);

static EXPOSE_PATH: Schema = block(
    &[text("path", "Path"), text("protocol", "Protocol"), int("local_path_port", "LocalPathPort"), text("listener_port", "ListenerPort")],
    &[],
);

static TRANSPARENT_PROXY: Schema = block(
    &[
        text("uid", "UID"),
        int("outbound_port", "OutboundPort"),
        texts("exclude_inbound_ports", "ExcludeInboundPorts"),
        argument("exclude_outbound_ports", "ExcludeOutboundPorts", Kind::Ints),
        texts("exclude_outbound_cidrs", "ExcludeOutboundCIDRs"),
        texts("exclude_uids", "ExcludeUIDs"),
        boolean("no_dns", "NoDNS"),
    ],
    &[],
);

static GATEWAY: Schema = block(
    &[],
    &[
        one("proxy", "Proxy", &GATEWAY_PROXY),
        one("ingress", "Ingress", &INGRESS),
        one("terminating", "Terminating", &TERMINATING),
        one("mesh", "Mesh", &MESH),
    ],
);

static MESH: Schema = block(&[], &[]);

static GATEWAY_PROXY: Schema = block(
    &[
        duration("connect_timeout", "ConnectTimeout"),
        boolean("envoy_gateway_bind_tagged_addresses", "EnvoyGatewayBindTaggedAddresses"),
        boolean("envoy_gateway_no_default_bind", "EnvoyGatewayNoDefaultBind"),
        text("envoy_dns_discovery_type", "EnvoyDNSDiscoveryType"),
    ],
    &[
        Nested {
            name: "envoy_gateway_bind_addresses",
            key: "EnvoyGatewayBindAddresses",
            arity: Arity::Named,
            label: Some("Name"),
            shape: Shape::Block(&BIND_ADDRESS),
        },
        free("config", "Config"),
    ],
);

static BIND_ADDRESS: Schema = block(&[text("address", "Address"), int("port", "Port")], &[]);

static INGRESS: Schema = block(&[], &[one("tls", "TLS", &TLS), many("listener", "Listeners", &LISTENER)]);

static TLS: Schema = block(
    &[
        boolean("enabled", "Enabled"),
        text("tls_min_version", "TLSMinVersion"),
        text("tls_max_version", "TLSMaxVersion"),
        texts("cipher_suites", "CipherSuites"),
    ],
    &[one("sds", "SDS", &SDS)],
);

static SDS: Schema = block(&[text("cluster_name", "ClusterName"), text("cert_resource", "CertResource")], &[]);

static LISTENER: Schema = block(&[int("port", "Port"), text("protocol", "Protocol")], &[many("service", "Services", &INGRESS_SERVICE)]);

static INGRESS_SERVICE: Schema = block(
    &[
        text("name", "Name"),
        texts("hosts", "Hosts"),
        int("max_connections", "MaxConnections"),
        int("max_pending_requests", "MaxPendingRequests"),
        int("max_concurrent_requests", "MaxConcurrentRequests"),
    ],
    &[
        one("tls", "TLS", &TLS),
        one("request_headers", "RequestHeaders", &HEADER_MODIFIERS),
        one("response_headers", "ResponseHeaders", &HEADER_MODIFIERS),
    ],
);

static HEADER_MODIFIERS: Schema = block(&[texts("remove", "Remove")], &[text_map("add", "Add"), text_map("set", "Set")]);

static TERMINATING: Schema = block(&[], &[many("service", "Services", &LINKED_SERVICE)]);

static LINKED_SERVICE: Schema = block(
    &[text("name", "Name"), text("ca_file", "CAFile"), text("cert_file", "CertFile"), text("key_file", "KeyFile"), text("sni", "SNI")],
    &[],
);
