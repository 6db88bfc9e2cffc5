//! Ending a simulated process at one of its changes of the disk.

use std::io;

/// What becomes of the operation at which a process is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It was not begun.
    Before,
    /// Half of what it was to append is there. Of anything else, nothing.
    Amid,
    /// All of it is done, but nobody was told.
    After,
}

/// Counts what changes the disk.
#[derive(Debug, Default)]
pub(super) struct Halts {
    operations: u64,
    at: Option<(u64, Halt)>,
    pub(super) halted: bool,
}

impl Halts {
    pub(super) fn at(operation: u64, how: Halt) -> Self {
        Self { operations: 0, at: Some((operation, how)), halted: false }
    }

    /// Counts one change, and says whether the process ends at it. An error: it has ended before.
    pub(super) fn count(&mut self) -> io::Result<Option<Halt>> {
        if self.halted {
            return Err(ended());
        }
        self.operations += 1;
        let halt = self.at.filter(|(at, _)| *at == self.operations).map(|(_, how)| how);
        self.halted = halt.is_some();
        Ok(halt)
    }
}

fn ended() -> io::Error {
    io::Error::other("the simulated process has ended")
}

/// Makes a change, or what is left of it where the process ends.
pub(super) fn make<T>(halt: Option<Halt>, work: impl FnOnce(Part) -> io::Result<T>) -> io::Result<T> {
    match halt {
        None => work(Part::All),
        Some(Halt::Before) => Err(ended()),
        Some(Halt::Amid) => work(Part::Half).and_then(|_| Err(ended())),
        Some(Halt::After) => work(Part::All).and_then(|_| Err(ended())),
    }
}

/// How much of a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Half,
    All,
}

impl Part {
    /// Makes a change that is made as a whole or not at all.
    pub(super) fn whole(self, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self == Self::All { work() } else { Ok(()) }
    }
}
