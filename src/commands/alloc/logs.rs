//! `drover alloc logs`

use std::io::Write;

use anyhow::{Context, Result, bail};
use drover_api::{Client, LogRequest};
use drover_model::view::AllocationStub;
use futures::StreamExt;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// About as many bytes as lines are asked for; what is too much is cut off here.
const BYTES_PER_LINE: u64 = 120;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The allocation's id, or the start of it; with -job, the job's
    allocation: String,
    /// The task; needed when the allocation has several
    task: Option<String>,
    /// The task
    #[arg(long = "task", value_name = "TASK")]
    task_flag: Option<String>,
    /// Take a running allocation of this job
    #[arg(long)]
    job: bool,
    /// Of this group, with -job
    #[arg(long)]
    group: Option<String>,
    /// Standard error instead of standard output
    #[arg(long)]
    stderr: bool,
    /// Standard output (the default)
    #[arg(long, hide = true)]
    stdout: bool,
    /// Go on with what is appended
    #[arg(short)]
    f: bool,
    /// Only the end of the log
    #[arg(long)]
    tail: bool,
    /// So many lines from the end
    #[arg(short, value_name = "LINES")]
    n: Option<u64>,
    /// So many bytes from the end
    #[arg(short, value_name = "BYTES")]
    c: Option<u64>,
    /// Print whole ids
    #[arg(long, hide = true)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let allocation = self.allocation(&client).await?;
            let id = allocation.id.to_string();
            let task = self.task(&client, &id).await?;
            let lines = self.n.or_else(|| (self.tail && self.c.is_none()).then_some(10));
            let offset = self.c.or_else(|| lines.map(|lines| lines.saturating_mul(BYTES_PER_LINE)));
            let kind = if self.stderr { "stderr" } else { "stdout" };
            let from_end = offset.is_some();
            let request = LogRequest { alloc_id: &id, task: &task, kind, follow: self.f, from_end, offset: offset.unwrap_or(0) };
            let mut stream = Box::pin(client.logs(&request).await?);
            let mut first = lines;
            while let Some(piece) = stream.next().await {
                let piece = piece?;
                let text = match first.take() {
                    Some(lines) => last_lines(&piece, lines),
                    None => &piece,
                };
                if !print(text)? {
                    break;
                }
            }
            Ok(Exit::Ok)
        })
    }

    async fn allocation(&self, client: &Client) -> Result<AllocationStub> {
        if !self.job {
            return super::find(client, &self.allocation).await;
        }
        let id = crate::commands::job::find(client, &self.allocation).await?;
        let allocations = client.job_allocations(&id, false).await?.data;
        let wanted = |a: &AllocationStub| self.group.as_deref().is_none_or(|group| *group == *a.task_group);
        let newest = allocations.into_iter().filter(wanted).max_by_key(|a| (a.client_status.as_str() == "running", a.create_index));
        newest.with_context(|| format!("job {id:?} has no allocation to read from"))
    }

    async fn task(&self, client: &Client, id: &str) -> Result<String> {
        if let Some(task) = self.task_flag.clone().or_else(|| self.task.clone()) {
            return Ok(task);
        }
        let allocation = client.allocation(id).await?.data;
        let names: Vec<&str> =
            allocation.group().map(|group| group.tasks.iter().map(|task| task.name.as_str()).collect()).unwrap_or_default();
        match names.as_slice() {
            [only] => Ok((*only).to_owned()),
            [] => bail!("allocation {id} has no task"),
            several => bail!("allocation {id} has the tasks {}; name one", several.join(", ")),
        }
    }
}

fn last_lines(text: &[u8], lines: u64) -> &[u8] {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match ends.map(|(position, _)| position).nth(usize::try_from(lines).unwrap_or(usize::MAX).saturating_sub(1)) {
        Some(position) if lines > 0 => text.get(position + 1..).unwrap_or_default(),
        _ => text,
    }
}

/// False when whoever reads has gone (`| head`).
fn print(text: &[u8]) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot print"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_left() {
        for (text, lines, expected) in [("a\nb\nc\n", 2, "b\nc\n"), ("a\nb\nc", 1, "c"), ("a\n", 5, "a\n"), ("", 1, "")] {
            assert_eq!(last_lines(text.as_bytes(), lines), expected.as_bytes(), "{text:?}");
        }
    }
}
