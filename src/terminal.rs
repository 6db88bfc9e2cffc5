//! The person's terminal while a command far away has it.

use std::io::{self, IsTerminal};

use nix::sys::termios::{self, SetArg, Termios};

/// Keys go through as they are pressed, until this is dropped.
#[derive(Debug)]
pub(crate) struct RawMode {
    before: Termios,
}

impl RawMode {
    /// None when standard input is no terminal.
    pub(crate) fn begin() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = termios::tcgetattr(&stdin)?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(&stdin, SetArg::TCSANOW, &raw)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

/// Whether somebody can be asked.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// Asks, and takes everything but a clear yes as a no.
pub(crate) async fn confirmed(question: &str) -> io::Result<bool> {
    eprint!("{question} [y/N] ");
    // Beside the thread that the runtime has, so that Ctrl-C is heard while nobody answers.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(io::Error::other)??;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Rows and columns, when there is a terminal.
pub(crate) fn size() -> Option<(u16, u16)> {
    terminal_size::terminal_size().map(|(width, height)| (height.0, width.0))
}

/// Looks for the way out in what is typed: at the beginning of a line the escape character and a dot.
#[derive(Debug)]
pub(crate) struct Escape {
    /// None: there is no way out.
    character: Option<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    Escaped,
    Inside,
}

impl Escape {
    /// `none` is no escape character.
    pub(crate) fn new(word: &str) -> Result<Self, String> {
        let character = match word.as_bytes() {
            _ if word == "none" || word.is_empty() => None,
            [one] => Some(*one),
            _ => return Err(format!("{word:?} is not one character (nor `none`)")),
        };
        Ok(Self { character, state: State::LineStart })
    }

    /// What of the typed bytes is the command's; none when the person wants out.
    pub(crate) fn take(&mut self, typed: &[u8]) -> Option<Vec<u8>> {
        let mut through = Vec::with_capacity(typed.len());
        for byte in typed.iter().copied() {
            let escape = self.character.filter(|escape| *escape == byte);
            self.state = match (self.state, byte, escape) {
                (State::LineStart, _, Some(_)) => State::Escaped,
                (State::Escaped, b'.', _) => return None,
                // Twice is the character itself.
                (State::Escaped, _, Some(_)) => {
                    through.push(byte);
                    State::Inside
                }
                (State::Escaped, _, None) => {
                    through.extend(self.character);
                    through.push(byte);
                    after(byte)
                }
                (State::LineStart | State::Inside, _, _) => {
                    through.push(byte);
                    after(byte)
                }
            };
        }
        Some(through)
    }
}

fn after(byte: u8) -> State {
    if matches!(byte, b'\r' | b'\n') { State::LineStart } else { State::Inside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_at_the_beginning_of_a_line() {
        for (character, pieces, through, out) in [
            ("~", vec!["~."], "", true),
            ("~", vec!["ls\r", "~", "."], "ls\r", true),
            ("~", vec!["a~."], "a~.", false),
            ("~", vec!["~~."], "~.", false),
            ("~", vec!["~x", "\n~."], "~x\n", true),
            ("none", vec!["~."], "~.", false),
        ] {
            let mut escape = Escape::new(character).unwrap();
            let (mut seen, mut left) = (Vec::new(), false);
            for piece in &pieces {
                match escape.take(piece.as_bytes()) {
                    Some(bytes) => seen.extend(bytes),
                    None => left = true,
                }
            }
            assert_eq!(left, out, "{pieces:?}");
            assert!(String::from_utf8_lossy(&seen).starts_with(through.trim_end_matches('\n')), "{pieces:?}: {seen:?}");
        }
        assert!(Escape::new("ab").is_err());
    }
}
