//! `drover alloc logs`

use std::io::Write;

use anyhow::{Context, Result};
use drover_api::LogRequest;
use futures::StreamExt;

use super::which::Which;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
};

/// About as many bytes as lines are asked for; what is too much is cut off here.
const BYTES_PER_LINE: u64 = 120;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The task; needed when the allocation has several
    task: Option<String>,
    /// The task
    #[arg(long = "task", value_name = "TASK")]
    task_flag: Option<String>,
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
            let id = self.which.find(&client).await?.id.to_string();
            let task = super::which::task(&client, &id, self.task_flag.as_deref().or(self.task.as_deref())).await?;
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
}

pub(super) fn last_lines(text: &[u8], lines: u64) -> &[u8] {
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
