//! A first look at the text, before the real parser: how deep it nests, whether everything that is opened is closed, and the few mistakes that
//! deserve a better message than a parser can give. It never recurses, so nothing in a text can exhaust the stack.

use std::{collections::HashMap, ops::Range};

use crate::diagnostic::{Diagnostic, Source};

/// How deep blocks, brackets and templates may nest in each other.
pub(crate) const MAX_NESTING: usize = 40;

/// What is open at some point of the text.
enum Frame {
    /// The body of a block, with the attributes seen in it.
    Block {
        open: usize,
        attributes: HashMap<String, Range<usize>>,
    },
    /// `{`, `[` or `(` within an expression.
    Bracket {
        open: usize,
    },
    /// A quoted string; `label` when it names a block.
    Quote {
        open: usize,
        label: bool,
    },
    Heredoc {
        open: usize,
        delimiter: String,
    },
    /// `${` or `%{` within a string or heredoc.
    Template {
        open: usize,
    },
}

/// Where in a statement of a body the scan is.
#[derive(Clone, Copy, PartialEq)]
enum Statement {
    Start,
    Header,
    Expression,
}

pub(crate) fn check(source: &Source) -> Result<(), Diagnostic> {
    Scan {
        source,
        bytes: source.text().as_bytes(),
        at: 0,
        frames: vec![Frame::Block { open: 0, attributes: HashMap::new() }],
        statement: Statement::Start,
        identifier: 0..0,
    }
    .run()
}

struct Scan<'a> {
    source: &'a Source,
    bytes: &'a [u8],
    at: usize,
    frames: Vec<Frame>,
    statement: Statement,
    /// The identifier that began the current statement.
    identifier: Range<usize>,
}

impl Scan<'_> {
    fn run(mut self) -> Result<(), Diagnostic> {
        while self.at < self.bytes.len() {
            match self.frames.last() {
                Some(Frame::Quote { open, label }) => {
                    let (open, label) = (*open, *label);
                    self.quoted(open, label)?;
                }
                Some(Frame::Heredoc { delimiter, .. }) => {
                    let delimiter = delimiter.clone();
                    self.heredoc(&delimiter)?;
                }
                _ => self.code()?,
            }
        }
        self.end()
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn push(&mut self, frame: Frame) -> Result<(), Diagnostic> {
        if self.frames.len() > MAX_NESTING {
            return Err(self.source.error(
                self.at..self.at + 1,
                "Nesting too deep",
                format!("Blocks, brackets and templates may nest {MAX_NESTING} levels deep."),
            ));
        }
        self.frames.push(frame);
        Ok(())
    }

    /// One token outside of strings.
    fn code(&mut self) -> Result<(), Diagnostic> {
        let in_body = matches!(self.frames.last(), Some(Frame::Block { .. }));
        let start = self.at;
        self.at += 1;
        match self.bytes[start] {
            b'\n' if in_body => self.statement = Statement::Start,
            b'#' => self.skip_line(),
            b'/' if self.rest().starts_with(b"/") => self.skip_line(),
            b'/' if self.rest().starts_with(b"*") => {
                self.at += 1;
                let end = self.source.text().get(self.at..).and_then(|rest| rest.find("*/"));
                self.at = end.map_or(self.bytes.len(), |end| self.at + end + 2);
            }
            b'"' => {
                let label = in_body && self.statement == Statement::Header;
                self.push(Frame::Quote { open: start, label })?;
            }
            b'<' if self.rest().starts_with(b"<") => self.open_heredoc(start)?,
            b'{' if in_body && self.statement == Statement::Header => {
                self.push(Frame::Block { open: start, attributes: HashMap::new() })?;
                self.statement = Statement::Start;
            }
            b'{' | b'[' | b'(' => self.push(Frame::Bracket { open: start })?,
            b'}' | b']' | b')' => self.close(),
            b'=' if in_body && self.statement == Statement::Header && !self.rest().starts_with(b"=") => {
                self.statement = Statement::Expression;
                self.attribute()?;
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                while self.rest().first().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') || *b >= 0x80) {
                    self.at += 1;
                }
                if in_body && self.statement == Statement::Start {
                    self.statement = Statement::Header;
                    self.identifier = start..self.at;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn skip_line(&mut self) {
        let end = self.rest().iter().position(|b| *b == b'\n');
        self.at = end.map_or(self.bytes.len(), |end| self.at + end);
    }

    /// A closing bracket. One that does not match is left to the parser to complain about.
    fn close(&mut self) {
        match self.frames.last() {
            Some(Frame::Block { .. }) if self.frames.len() > 1 => {
                self.frames.pop();
                // What follows a block on its line belongs to no statement.
                self.statement = Statement::Expression;
            }
            Some(Frame::Bracket { .. } | Frame::Template { .. }) => {
                self.frames.pop();
            }
            _ => {}
        }
    }

    fn attribute(&mut self) -> Result<(), Diagnostic> {
        let (name, range) = (self.source.slice(self.identifier.clone()).to_owned(), self.identifier.clone());
        let Some(Frame::Block { attributes, .. }) = self.frames.last_mut() else { return Ok(()) };
        match attributes.insert(name.clone(), range.clone()) {
            None => Ok(()),
            Some(first) => Err(self.source.error(
                range,
                "Attribute redefined",
                format!("The argument \"{name}\" was already set at {}. Each argument may be set only once.", self.source.place(first)),
            )),
        }
    }

    fn open_heredoc(&mut self, open: usize) -> Result<(), Diagnostic> {
        self.at += 1;
        if self.rest().starts_with(b"-") {
            self.at += 1;
        }
        let begin = self.at;
        self.skip_line();
        let delimiter = self.source.slice(begin..self.at).trim_end_matches('\r').to_owned();
        if delimiter.is_empty() || self.at == self.bytes.len() {
            return Ok(());
        }
        self.push(Frame::Heredoc { open, delimiter })
    }

    /// One character, escape or marker of a quoted string.
    fn quoted(&mut self, open: usize, label: bool) -> Result<(), Diagnostic> {
        if self.template_marker(label)? {
            return Ok(());
        }
        let byte = self.bytes[self.at];
        self.at += 1;
        match byte {
            b'\\' => self.at += 1,
            b'"' => {
                self.frames.pop();
            }
            b'\n' => {
                return Err(self.source.error(
                    open..self.at - 1,
                    "Invalid multi-line string",
                    "Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \\n escape to \
                     represent a newline character or use the \"heredoc\" multi-line template syntax.",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// One character or marker of a heredoc; a line that holds only the delimiter ends it.
    fn heredoc(&mut self, delimiter: &str) -> Result<(), Diagnostic> {
        if self.template_marker(false)? {
            return Ok(());
        }
        let newline = self.bytes[self.at] == b'\n';
        self.at += 1;
        if newline {
            let line_end = self.rest().iter().position(|b| *b == b'\n').map_or(self.bytes.len(), |end| self.at + end);
            let line = self.source.slice(self.at..line_end);
            let after = line.trim_start_matches([' ', '\t']).strip_prefix(delimiter);
            let ends = |after: &str| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
            if let Some(after) = after.filter(|after| ends(after)) {
                self.at = line_end - after.len();
                self.frames.pop();
            }
        }
        Ok(())
    }

    /// Steps over `${` and `%{` (or their escaped forms) if the scan stands before one.
    fn template_marker(&mut self, label: bool) -> Result<bool, Diagnostic> {
        if self.rest().starts_with(b"$${") || self.rest().starts_with(b"%%{") {
            self.at += 3;
            return Ok(true);
        }
        if !self.rest().starts_with(b"${") && !self.rest().starts_with(b"%{") {
            return Ok(false);
        }
        if label {
            let marker = char::from(self.bytes[self.at]);
            return Err(self.source.error(
                self.at..self.at + 2,
                "Invalid string literal",
                format!(
                    "Template sequences are not allowed in this string. To include a literal \"{marker}\", double it (as \
                     \"{marker}{marker}\") to escape it."
                ),
            ));
        }
        self.push(Frame::Template { open: self.at })?;
        self.at += 2;
        Ok(true)
    }

    /// The end of the text: everything but the outermost body must be closed.
    fn end(self) -> Result<(), Diagnostic> {
        if self.frames.len() <= 1 {
            return Ok(());
        }
        let (open, length, summary, detail) = match self.frames.last() {
            None => return Ok(()),
            Some(Frame::Block { open, .. }) => (
                *open,
                1,
                "Unclosed configuration block",
                "There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting \
                 elsewhere in this file.",
            ),
            Some(Frame::Bracket { open }) => {
                (*open, 1, "Unclosed bracket", "There is no closing bracket for this one before the end of the file.")
            }
            Some(Frame::Quote { open, .. } | Frame::Heredoc { open, .. }) => {
                (*open, 1, "Unterminated template string", "No closing marker was found for the string.")
            }
            Some(Frame::Template { open }) => (
                *open,
                2,
                "Unclosed template interpolation sequence",
                "There is no closing brace for this interpolation sequence before the end of the file. This might be caused by \
                 incorrect nesting inside the given expression.",
            ),
        };
        Err(self.source.error(open..open + length, summary, detail))
    }
}
