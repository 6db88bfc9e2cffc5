//! `drover alloc exec`

use std::{
    io::{IsTerminal, Read, Write},
    time::Duration,
};

use anyhow::{Context, Result};
use drover_api::{ExecInput, ExecOutput, ExecReader, ExecRequest, ExecWriter};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::interval,
};

use super::which::Which;
use crate::{
    context::{Reach, block_on_signals},
    exit::Exit,
    terminal::{self, Escape, RawMode},
};

/// How often the agent is told that somebody is still there.
const ALIVE: Duration = Duration::from_secs(10);
/// What is typed or piped in is sent in such pieces, of which a few may wait.
const PIECE_BYTES: usize = 16 << 10;
/// See [`PIECE_BYTES`].
const PIECES: usize = 16;

/// The exit code is the command's. At a terminal, Enter and `~.` end the connection
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The task; needed when the allocation has several
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Pass standard input on (default: true)
    #[arg(short, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    i: Option<bool>,
    /// Give the command a terminal (default: if there is one here)
    #[arg(short, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    t: Option<bool>,
    /// The escape character at the beginning of a line, or none
    #[arg(short, value_name = "CHARACTER", default_value = "~")]
    e: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let interactive = self.i.unwrap_or(true);
        let tty = self.t.unwrap_or_else(|| interactive && std::io::stdin().is_terminal() && std::io::stdout().is_terminal());
        let escape = Escape::new(if tty { &self.e } else { "none" }).map_err(anyhow::Error::msg).context("-e")?;
        block_on_signals(async {
            let id = self.which.find(&client).await?.id.to_string();
            let task = super::which::task(&client, &id, self.task.as_deref()).await?;
            let request = ExecRequest { alloc_id: &id, task: &task, command: &self.command, tty };
            let (reader, writer) = client.exec(&request).await?;
            // Ended before anything else is printed.
            let raw = if tty { RawMode::begin().context("cannot prepare the terminal")? } else { None };
            let code = tokio::select! {
                code = print(reader) => code?,
                left = feed(writer, interactive, tty, escape) => left?,
            };
            drop(raw);
            Ok(Exit::Command(code))
        })
    }
}

/// Prints what the command says until it ends. Its exit code.
async fn print(mut reader: ExecReader) -> Result<i32> {
    loop {
        let said = reader.next().await.context("the connection to the command was lost")??;
        let printed = match said {
            ExecOutput::Exited(code) => return Ok(code),
            ExecOutput::Stdout(data) => write(std::io::stdout().lock(), &data),
            ExecOutput::Stderr(data) => write(std::io::stderr().lock(), &data),
        };
        match printed {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(0),
            other => other.context("cannot print")?,
        }
    }
}

fn write(mut to: impl Write, data: &[u8]) -> std::io::Result<()> {
    to.write_all(data)?;
    to.flush()
}

/// Passes on what is typed, and the terminal's size. Ends only when the person wants out; the exit code is then that of an interruption.
async fn feed(mut writer: ExecWriter, interactive: bool, tty: bool, mut escape: Escape) -> Result<i32> {
    let mut resized = signal(SignalKind::window_change()).context("cannot hear of the terminal's size")?;
    let (mut typed, mut alive) = (interactive.then(read_input), interval(ALIVE));
    alive.tick().await;
    if !interactive {
        writer.send(ExecInput::Close).await?;
    }
    send_size(&mut writer, tty).await?;
    loop {
        tokio::select! {
            piece = next(&mut typed) => match piece {
                Some(piece) => match escape.take(&piece) {
                    Some(data) if data.is_empty() => {}
                    Some(data) => writer.send(ExecInput::Data(data)).await?,
                    None => return Ok(INTERRUPTED),
                },
                None => {
                    typed = None;
                    writer.send(ExecInput::Close).await?;
                }
            },
            _ = resized.recv() => send_size(&mut writer, tty).await?,
            _ = alive.tick() => writer.send(ExecInput::Alive).await?,
        }
    }
}

/// As a shell reports what Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

async fn send_size(writer: &mut ExecWriter, tty: bool) -> Result<()> {
    if let Some((rows, columns)) = terminal::size().filter(|_| tty) {
        writer.send(ExecInput::Size { rows, columns }).await?;
    }
    Ok(())
}

/// Never, once the input has ended.
async fn next(typed: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match typed {
        Some(typed) => typed.recv().await,
        None => std::future::pending().await,
    }
}

/// Standard input in pieces. Its thread may be reading when the command ends, which is why nobody waits for it.
fn read_input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(PIECES);
    std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE_BYTES];
        while let Ok(read @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
