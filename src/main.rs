//! The command line: one file for each verb under `commands/`, which asks an agent over HTTP and prints what people want to know.
//!
//! Data goes to standard output, the rest to standard error. Exit codes are in `exit.rs`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line's work is to print")]

mod allocator;
mod args;
mod cli;
mod commands;
mod context;
mod exit;
mod jobfile;
mod monitor;
mod output;
mod specfile;
mod terminal;

use std::ffi::OsString;

use clap::{Parser, builder::Resettable};

use crate::{cli::Cli, exit::Exit};

/// Servers make and drop many small things on all threads at once, which this allocator does best (`docs/decisions/0023-allocator.md`).
#[global_allocator]
static ALLOCATOR: allocator::Mimalloc = allocator::Mimalloc;

/// The mistake without what the environment says: clap takes that for something that was typed, names it in the usage, and gives no help to a bare `drover job`.
fn as_typed(error: clap::Error, words: &[OsString]) -> clap::Error {
    let command = <Cli as clap::CommandFactory>::command().mut_args(|argument| argument.env(Resettable::Reset));
    command.try_get_matches_from(words).err().unwrap_or(error)
}

fn main() -> std::process::ExitCode {
    output::end_quietly_when_unread();
    let words = match args::normalise(std::env::args_os(), &<Cli as clap::CommandFactory>::command()) {
        Ok(words) => words,
        Err(error) => return exit::fail(&error),
    };
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => {
            let error = if error.use_stderr() { as_typed(error, &words) } else { error };
            // Help and version are answers; the rest is a mistake of whoever typed it.
            let code = if error.use_stderr() { Exit::Error } else { Exit::Ok };
            let _ = error.print();
            return code.into();
        }
    };
    match cli.run() {
        Ok(exit) => exit.into(),
        Err(error) => exit::fail(&error),
    }
}
