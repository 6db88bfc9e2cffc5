//! Consul Connect: sidecars, gateways and their proxies.

use super::*;

spec! {
    Connect {
        gateway: Option<Gateway> = "Gateway",
        native: bool = "Native",
        sidecar_service: Option<SidecarService> = "SidecarService",
        sidecar_task: Option<SidecarTask> = "SidecarTask",
    }
}

spec! {
    SidecarService {
        tags: List<String> = "Tags",
        port: String = "Port",
        proxy: Option<Proxy> = "Proxy",
        disable_default_tcp_check: bool = "DisableDefaultTCPCheck",
        meta: Map<String> = "Meta",
    }
}

spec! {
    SidecarTask {
        name: String = "Name",
        driver: String = "Driver",
        user: String = "User",
        config: Map<Value> = "Config",
        env: Map<String> = "Env",
        resources: Option<Resources> = "Resources",
        meta: Map<String> = "Meta",
        kill_timeout: Option<Nanos> = "KillTimeout",
        log_config: Option<LogConfig> = "LogConfig",
        shutdown_delay: Option<Nanos> = "ShutdownDelay",
        kill_signal: String = "KillSignal",
        volume_mounts: List<VolumeMount> = "VolumeMounts",
        identities: List<Identity> = "Identities",
    }
}

spec! {
    Proxy {
        local_service_address: String = "LocalServiceAddress",
        local_service_port: i64 = "LocalServicePort",
        expose: Option<Expose> = "Expose",
        expose_config: Option<Expose> = "ExposeConfig",
        upstreams: List<Upstream> = "Upstreams",
        transparent_proxy: Option<TransparentProxy> = "TransparentProxy",
        config: Map<Value> = "Config",
    }
}

spec! {
    Expose {
        path: Option<List<ExposePath>> = "Path",
        paths: List<ExposePath> = "Paths",
    }
}

spec! {
    ExposePath {
        path: String = "Path",
        protocol: String = "Protocol",
        local_path_port: i64 = "LocalPathPort",
        listener_port: String = "ListenerPort",
    }
}

spec! {
    Upstream {
        destination_name: String = "DestinationName",
        destination_namespace: String = "DestinationNamespace",
        destination_peer: String = "DestinationPeer",
        destination_partition: String = "DestinationPartition",
        destination_type: String = "DestinationType",
        local_bind_port: i64 = "LocalBindPort",
        local_bind_address: String = "LocalBindAddress",
        local_bind_socket_path: String = "LocalBindSocketPath",
        local_bind_socket_mode: String = "LocalBindSocketMode",
        datacenter: String = "Datacenter",
        mesh_gateway: Option<MeshGateway> = "MeshGateway",
        config: Map<Value> = "Config",
    }
}

spec! {
    MeshGateway {
        mode: String = "Mode",
    }
}

spec! {
    TransparentProxy {
        uid: String = "UID",
        outbound_port: i64 = "OutboundPort",
        exclude_inbound_ports: List<String> = "ExcludeInboundPorts",
        exclude_outbound_ports: List<i64> = "ExcludeOutboundPorts",
        exclude_outbound_cidrs: List<String> = "ExcludeOutboundCIDRs",
        exclude_uids: List<String> = "ExcludeUIDs",
        no_dns: bool = "NoDNS",
    }
}

spec! {
    Gateway {
        proxy: Option<GatewayProxy> = "Proxy",
        ingress: Option<Ingress> = "Ingress",
        terminating: Option<Terminating> = "Terminating",
        mesh: Option<Mesh> = "Mesh",
    }
}

spec! {
    /// Has no parameters.
    Mesh {}
}

spec! {
    GatewayProxy {
        connect_timeout: Option<Nanos> = "ConnectTimeout",
        bind_tagged_addresses: bool = "EnvoyGatewayBindTaggedAddresses",
        bind_addresses: Map<BindAddress> = "EnvoyGatewayBindAddresses",
        no_default_bind: bool = "EnvoyGatewayNoDefaultBind",
        dns_discovery_type: String = "EnvoyDNSDiscoveryType",
        config: Map<Value> = "Config",
    }
}

spec! {
    BindAddress {
        name: String = "Name",
        address: String = "Address",
        port: i64 = "Port",
    }
}

spec! {
    Ingress {
        tls: Option<GatewayTls> = "TLS",
        listeners: List<Listener> = "Listeners",
    }
}

spec! {
    GatewayTls {
        enabled: bool = "Enabled",
        tls_min_version: String = "TLSMinVersion",
        tls_max_version: String = "TLSMaxVersion",
        cipher_suites: List<String> = "CipherSuites",
        sds: Option<Sds> = "SDS",
    }
}

spec! {
    Sds {
        cluster_name: String = "ClusterName",
        cert_resource: String = "CertResource",
    }
}

spec! {
    Listener {
        port: i64 = "Port",
        protocol: String = "Protocol",
        services: List<IngressService> = "Services",
    }
}

spec! {
    IngressService {
        name: String = "Name",
        hosts: List<String> = "Hosts",
        tls: Option<GatewayTls> = "TLS",
        request_headers: Option<HeaderModifiers> = "RequestHeaders",
        response_headers: Option<HeaderModifiers> = "ResponseHeaders",
        max_connections: Option<i64> = "MaxConnections",
        max_pending_requests: Option<i64> = "MaxPendingRequests",
        max_concurrent_requests: Option<i64> = "MaxConcurrentRequests",
    }
}

spec! {
    HeaderModifiers {
        add: Map<String> = "Add",
        set: Map<String> = "Set",
        remove: List<String> = "Remove",
    }
}

spec! {
    Terminating {
        services: List<LinkedService> = "Services",
    }
}

spec! {
    LinkedService {
        name: String = "Name",
        ca_file: String = "CAFile",
        cert_file: String = "CertFile",
        key_file: String = "KeyFile",
        sni: String = "SNI",
    }
}
