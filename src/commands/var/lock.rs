//! `drover var lock`

use std::time::Duration;

use anyhow::{Context, Result, bail};
use drover_api::Client;
use drover_model::variable::VariableLock;
use tokio::process::{Child, Command};

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// How often a lock that somebody else holds is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// A lock is renewed when this part of its time has passed.
const RENEW_DIVISOR: u32 = 3;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The variable's path; it is made when it is not there
    path: String,
    /// What to run while the lock is held
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// How long the lock holds when this process dies (10s to 24h)
    #[arg(long, default_value = "15s")]
    ttl: String,
    /// How long after that nobody else gets it
    #[arg(long, default_value = "15s")]
    delay: String,
    /// Give up after so many tries (0: never)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    max_retry: u32,
    /// Have a shell read the command
    #[arg(long)]
    shell: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let lock = self.acquire(&client).await?;
            let mut child = self.command()?;
            let ended = self.hold(&client, &lock, &mut child).await;
            let released = client.variable_release(&self.path, &lock).await;
            let status = ended?;
            released.with_context(|| format!("the lock of {} could not be given up; it ends by itself", self.path))?;
            if !status.success() {
                bail!("the command ended with {status}");
            }
            Ok(Exit::Ok)
        })
    }

    async fn acquire(&self, client: &Client) -> Result<VariableLock> {
        let wanted = VariableLock { ttl: self.ttl.clone(), lock_delay: self.delay.clone(), id: String::new() };
        let mut tries = 0;
        loop {
            match client.variable_acquire(&self.path, &wanted).await {
                Ok(found) => return found.lock.with_context(|| format!("the answer for {} says nothing of its lock", self.path)),
                Err(drover_api::Error::Status { status: 409, .. }) => tries += 1,
                Err(error) => return Err(error.into()),
            }
            if tries == self.max_retry {
                bail!("{} is locked by somebody else; gave up after {tries} tries", self.path);
            }
            if tries == 1 {
                eprintln!("{} is locked by somebody else; waiting", self.path);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    fn command(&self) -> Result<Child> {
        let mut command = if self.shell {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(self.command.join(" "));
            shell
        } else {
            let mut command = Command::new(&self.command[0]);
            command.args(&self.command[1..]);
            command
        };
        // Whoever loses the lock, or is interrupted, must not go on.
        command.kill_on_drop(true).spawn().with_context(|| format!("cannot run {}", self.command[0]))
    }

    /// Waits for the command, and keeps the lock until it ends.
    async fn hold(&self, client: &Client, lock: &VariableLock, child: &mut Child) -> Result<std::process::ExitStatus> {
        let ttl = drover_model::spec::parse_duration(&lock.ttl).ok().and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos);
        let pace = ttl.unwrap_or(Duration::from_secs(15)) / RENEW_DIVISOR;
        loop {
            tokio::select! {
                status = child.wait() => return status.context("the command cannot be waited for"),
                () = tokio::time::sleep(pace) => {}
            }
            match client.variable_renew(&self.path, lock).await {
                Ok(_) => {}
                Err(error @ drover_api::Error::Status { .. }) => {
                    return Err(error).with_context(|| format!("the lock of {} was lost, and the command with it", self.path));
                }
                // The lock holds for a while yet: the next try may reach an agent.
                Err(error) => eprintln!("the lock of {} could not be renewed: {error}", self.path),
            }
        }
    }
}
