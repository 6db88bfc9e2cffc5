//! The top level of a file.

use std::path::PathBuf;

use super::{Addresses, Config, ConfigError, LogLevel, client, integrations, misc, section::Section, server, set, set_some};

pub(super) fn apply(top: &mut Section, config: &mut Config) -> Result<(), ConfigError> {
    set(&mut config.region, top.text("region")?);
    set(&mut config.datacenter, top.text("datacenter")?);
    set(&mut config.name, top.text("name")?);
    set_some(&mut config.data_dir, top.text("data_dir")?.map(PathBuf::from));
    set_some(&mut config.plugin_dir, top.text("plugin_dir")?.map(PathBuf::from));
    set(&mut config.bind_addr, top.text("bind_addr")?);
    set(&mut config.enable_debug, top.flag("enable_debug")?);
    set(&mut config.leave_on_interrupt, top.flag("leave_on_interrupt")?);
    set(&mut config.leave_on_terminate, top.flag("leave_on_terminate")?);
    config.http_headers.append(&mut top.map("http_api_response_headers")?);
    logging(top, config)?;
    top.each("ports", |ports| {
        set(&mut config.ports.http, ports.number("http")?);
        set(&mut config.ports.rpc, ports.number("rpc")?);
        set(&mut config.ports.serf, ports.number("serf")?);
        Ok(())
    })?;
    addresses(top, "addresses", &mut config.addresses)?;
    addresses(top, "advertise", &mut config.advertise)?;
    top.each("server", |section| server::apply(section, &mut config.server))?;
    top.each("client", |section| client::apply(section, &mut config.client))?;
    top.each_labelled("plugin", |name, section| {
        section.accepted(&["args"]);
        let settings = section.free("config")?;
        config.plugins.entry(name).or_default().extend(settings);
        Ok(())
    })?;
    integrations::apply(top, config)?;
    misc::apply(top, config)?;
    top.accepted(&["disable_update_check", "disable_anonymous_signature"]);
    Ok(())
}

fn logging(top: &mut Section, config: &mut Config) -> Result<(), ConfigError> {
    if let Some(word) = top.text("log_level")? {
        config.log.level = log_level(&word)?;
    }
    set(&mut config.log.json, top.flag("log_json")?);
    set(&mut config.log.include_location, top.flag("log_include_location")?);
    set_some(&mut config.log.file, top.text("log_file")?.filter(|path| !path.is_empty()).map(PathBuf::from));
    top.accepted(&["log_rotate_bytes", "log_rotate_duration", "log_rotate_max_files", "syslog_facility"]);
    if top.flag("enable_syslog")? == Some(true) {
        return Err(ConfigError::Conflict(
            "enable_syslog: there is no syslog output; use log_file, or let the service manager keep standard error".to_owned(),
        ));
    }
    Ok(())
}

pub(super) fn log_level(word: &str) -> Result<LogLevel, ConfigError> {
    LogLevel::parse(word)
        .ok_or_else(|| ConfigError::Conflict(format!("log_level: unknown level {word:?}: use one of TRACE, DEBUG, INFO, WARN, ERROR")))
}

fn addresses(top: &mut Section, key: &'static str, target: &mut Addresses) -> Result<(), ConfigError> {
    top.each(key, |section| {
        set_some(&mut target.http, section.text("http")?.filter(|address| !address.is_empty()));
        set_some(&mut target.rpc, section.text("rpc")?.filter(|address| !address.is_empty()));
        set_some(&mut target.serf, section.text("serf")?.filter(|address| !address.is_empty()));
        Ok(())
    })
}
