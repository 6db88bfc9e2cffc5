//! What an agent was configured to be: files, then flags, over defaults.
//!
//! Files are HCL 1 or JSON with the keys that people's files already have. Every key of the format is known; one that is not is an error with its file and line.
//! A setting that asks for something Drover does not do is refused, never skipped silently.
//! Start at [`Config::load`].

use std::path::PathBuf;

pub use flags::AgentFlags;
pub use types::*;

mod client;
mod files;
mod flags;
mod hcl;
mod integrations;
mod misc;
mod resolve;
mod section;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod top;
mod types;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is larger than {limit} bytes, which no agent configuration is")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{path} holds no configuration: a folder must hold files that end in .hcl or .json")]
    Empty { path: PathBuf },
    #[error("{0}")]
    Syntax(String),
    #[error("{place}: {block}unexpected key {key:?}{hint}")]
    UnknownKey { place: String, block: String, key: String, hint: String },
    #[error("{place}: {message}")]
    Invalid { place: String, message: String },
    #[error("{0}")]
    Conflict(String),
}

/// Reads one variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    /// Puts a configuration together: defaults, environment, files in order, flags, and what follows from all of them.
    pub fn load(flags: &AgentFlags, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::defaults(flags.dev);
        integrations::from_environment(&mut config, environment);
        for path in &flags.config {
            files::load(path, &mut config)?;
        }
        flags.apply(&mut config)?;
        resolve::resolve(&mut config)?;
        Ok(config)
    }

    /// What the environment alone says.
    pub fn of_environment(environment: Environment<'_>) -> Self {
        let mut config = Self::defaults(false);
        integrations::from_environment(&mut config, environment);
        config
    }

    /// As [`Config::load`], of one text instead of files.
    pub fn from_text(text: &str, file: &str, dev: bool) -> Result<Self, ConfigError> {
        let mut config = Self::defaults(dev);
        files::apply_text(text, file, &mut config)?;
        resolve::resolve(&mut config)?;
        Ok(config)
    }
}

/// Sets `target` when there is a value.
fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

/// Sets an optional `target` when there is a value.
fn set_some<T>(target: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *target = value;
    }
}
