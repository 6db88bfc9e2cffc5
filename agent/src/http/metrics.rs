//! `/v1/metrics`

use std::fmt::Write;

use drover_model::rpc::{
    Error,
    operator::{Gauge, ServerMetrics},
};
use http::HeaderValue;
use serde_json::json;

use super::{call::Call, reply::Outcome};

pub(super) async fn route(call: Call) -> Outcome {
    call.only_get()?;
    let config = call.api.config();
    let mut gauges = match config.server.enabled {
        true => call.api.backend().call(ServerMetrics {}).await?,
        false => Vec::new(),
    };
    if !config.telemetry.disable_hostname {
        for gauge in &mut gauges {
            gauge.labels.insert("host".to_owned(), config.name.clone());
        }
    }
    match call.param("format") {
        Some("prometheus") if !config.telemetry.prometheus_metrics => Err(Error::new(415, "Prometheus is not enabled")),
        Some("prometheus") => {
            call.bytes_reply(prometheus(&gauges).into_bytes(), HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"))
        }
        _ => {
            let timestamp = call.api.clock().now().to_string();
            call.json_reply(&json!({ "Timestamp": timestamp, "Gauges": gauges, "Points": [], "Counters": [], "Samples": [] }))
        }
    }
}

/// The text form that Prometheus reads.
fn prometheus(gauges: &[Gauge]) -> String {
    let mut text = String::new();
    let mut sorted: Vec<&Gauge> = gauges.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut last = "";
    for gauge in sorted {
        let name: String = gauge.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if gauge.name != last {
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} gauge", gauge.name);
            last = &gauge.name;
        }
        let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = gauge.labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(text, "{name}{labels} {}", gauge.value);
    }
    text
}
