//! `drover alloc fs`

use std::io::Write;

use anyhow::{Context, Result};
use drover_api::{Client, FileRead};
use drover_model::rpc::client::FileInfo;
use futures::StreamExt;

use super::which::Which;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Table,
};

/// About as many bytes as lines are asked for; what is too much is cut off here.
const BYTES_PER_LINE: u64 = 120;
/// The lines that -tail shows when nobody says how many.
const TAIL_LINES: u64 = 10;

/// A folder is listed, a file is printed
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// A path beneath the allocation's folder
    #[arg(default_value = "/")]
    path: String,
    /// Print sizes in bytes instead of KiB, MiB, ...
    #[arg(short = 'H')]
    bytes: bool,
    /// Describe the file instead of printing it
    #[arg(long)]
    stat: bool,
    /// Go on with what is appended
    #[arg(short)]
    f: bool,
    /// Only the end of the file
    #[arg(long)]
    tail: bool,
    /// So many lines from the end
    #[arg(short, value_name = "LINES")]
    n: Option<u64>,
    /// So many bytes from the end
    #[arg(short, value_name = "BYTES")]
    c: Option<u64>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = self.which.find(&client).await?.id.to_string();
            let file = client.file_stat(&id, &self.path).await?.data;
            if self.stat {
                self.list(&[file]);
            } else if file.is_dir {
                self.list(&client.file_list(&id, &self.path).await?.data);
            } else {
                self.print(&client, &id).await?;
            }
            Ok(Exit::Ok)
        })
    }

    fn list(&self, files: &[FileInfo]) {
        let mut table = Table::new(["Mode", "Size", "Modified Time", "Name"]);
        for file in files {
            let size = if self.bytes { file.size.to_string() } else { human(file.size) };
            let name = if file.is_dir { format!("{}/", file.name) } else { file.name.clone() };
            table.row([file.file_mode.clone(), size, file.mod_time.0.to_string(), name]);
        }
        table.print();
    }

    async fn print(&self, client: &Client, id: &str) -> Result<()> {
        let lines = self.n.or_else(|| (self.tail && self.c.is_none()).then_some(TAIL_LINES));
        let offset = self.c.or_else(|| lines.map(|lines| lines.saturating_mul(BYTES_PER_LINE)));
        let read = FileRead { alloc_id: id, path: &self.path, follow: self.f, from_end: offset.is_some(), offset: offset.unwrap_or(0) };
        let mut stream = Box::pin(client.file(&read).await?);
        let mut first = lines;
        while let Some(frame) = stream.next().await {
            let data = frame?.data;
            let text = match first.take_if(|_| !data.is_empty()) {
                Some(lines) => super::logs::last_lines(&data, lines),
                None => &data,
            };
            let mut out = std::io::stdout().lock();
            match out.write_all(text).and_then(|()| out.flush()) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
                printed => printed.context("cannot print")?,
            }
        }
        Ok(())
    }
}

fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_short() {
        for (bytes, want) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (u64::MAX, "16777216.0 TiB")] {
            assert_eq!(super::human(bytes), want);
        }
    }
}
