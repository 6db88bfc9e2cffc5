//! What the exit code tells.

use std::process::ExitCode;

use crate::context::Interrupted;

/// How a command ended. The numbers are part of the contract with scripts (`docs/cli.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for `job run`, deployed. For `job plan`, nothing would change.
    Ok,
    /// Refused, or could not be asked; nothing was changed. For `job plan`, something would change.
    Error,
    /// Registered, but not everything could be placed, or its deployment failed.
    Failed,
    /// Its deployment failed and an earlier version was brought back.
    Reverted,
    /// Its canaries are healthy and wait for somebody to promote them.
    NeedsPromotion,
    /// `job plan` could not plan.
    PlanError,
    /// Ctrl-C.
    Interrupted,
    /// A command in a task ended with this code.
    Command(i32),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Error => 1,
            Exit::Failed => 2,
            Exit::Reverted => 3,
            Exit::NeedsPromotion => 4,
            Exit::Interrupted => 130,
            Exit::PlanError => 255,
            Exit::Command(code) => u8::try_from(code).unwrap_or(u8::MAX),
        })
    }
}

/// Prints an error with its causes on one line, and a hint where there is one.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    if error.is::<Interrupted>() {
        // After the ^C that the terminal shows.
        eprintln!();
        return Exit::Interrupted.into();
    }
    eprintln!("Error: {}", with_causes(error));
    if let Some(hint) = error.chain().find_map(hint) {
        eprintln!("hint: {hint}");
    }
    Exit::Error.into()
}

/// Many errors name their cause themselves: it is not said twice.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    match cause.downcast_ref::<drover_api::Error>()? {
        drover_api::Error::Unreachable { .. } => {
            Some("is an agent running there? `drover agent -dev` starts one; -address or NOMAD_ADDR names another")
        }
        drover_api::Error::Status { status: 403, .. } => Some("give a token that may do this with -token or NOMAD_TOKEN"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_said_once() {
        let unread = || anyhow::anyhow!("no such file").context("cannot read a.hcl: no such file");
        assert_eq!(with_causes(&unread()), "cannot read a.hcl: no such file");
        assert_eq!(with_causes(&unread().context("not started")), "not started: cannot read a.hcl: no such file");
        assert_eq!(with_causes(&anyhow::anyhow!("no such file").context("not started")), "not started: no such file");
    }
}
