//! PEM files beside each other.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use drover_runtime::Clock as _;
use rcgen::CertificateParams;

/// Writes a file that must not be there yet. Others may read certificates, but no keys.
pub(super) fn write_new(path: &Path, text: &str, secret: bool) -> Result<()> {
    let mode = if secret { 0o600 } else { 0o644 };
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!("{} exists already; it is not overwritten", path.display()),
        Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
    };
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// From now on, for so many days. A minute of grace is for machines whose clocks are late.
pub(super) fn valid_for(parameters: &mut CertificateParams, days: u32) -> Result<()> {
    let now = u64::try_from(drover_runtime::RealClock.now().seconds()).context("the clock stands before 1970")?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + Duration::from_secs(now.saturating_sub(60));
    parameters.not_after = epoch + Duration::from_secs(now + u64::from(days) * 86_400);
    Ok(())
}
