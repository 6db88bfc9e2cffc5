//! What is wrong with a job file, and where: one [`Diagnostic`] per problem, printed for the API or for a terminal.

use std::{fmt, ops::Range as ByteRange, sync::Arc};

/// A place in a text: lines and columns count from 1, columns in characters; the end column is the one after the last character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{},{}-", self.file, self.line, self.column)?;
        if self.end_line != self.line {
            write!(f, "{},", self.end_line)?;
        }
        write!(f, "{}", self.end_column)
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where; absent when the problem is that something is missing altogether.
    pub place: Option<Box<Place>>,
    pub summary: String,
    pub detail: String,
    /// The line of the text that the place begins in.
    pub source_line: Option<String>,
    /// What to do about it, where that is not clear from the detail. Shown in terminals only.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A problem that has no place.
    pub fn general(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { place: None, summary: summary.into(), detail: detail.into(), source_line: None, hint: None }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Several lines: the message, the place, the line with the problem underlined, and the hint.
    pub fn to_terminal(&self) -> String {
        let mut text = format!("{}: {}\n", self.summary, self.detail);
        if let Some(place) = &self.place {
            text.push_str(&format!("  --> {}:{}:{}\n", place.file, place.line, place.column));
            if let Some(line) = &self.source_line {
                text.push_str(&underline(place, line));
            }
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("  hint: {hint}\n"));
        }
        text
    }
}

/// The form of the HTTP API: place, summary and detail on one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: ")?,
            None => f.write_str("<nil>: ")?,
        }
        write!(f, "{}; {}", self.summary, self.detail)
    }
}

/// All problems in the form of the HTTP API, one after the other.
pub fn to_api_text(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What the API says of a value whose expression failed, beside what it says of the expression.
pub(crate) const MUST_BE_KNOWN: &str = "Unsuitable value: value must be known";

/// All problems for a terminal, with an empty line between them; without those that only follow from others.
pub fn to_terminal_text(diagnostics: &[Diagnostic]) -> String {
    let all_follow = diagnostics.iter().all(|problem| problem.detail == MUST_BE_KNOWN);
    let shown = diagnostics.iter().filter(|problem| all_follow || problem.detail != MUST_BE_KNOWN);
    shown.map(Diagnostic::to_terminal).collect::<Vec<_>>().join("\n")
}

/// A line longer than this is not shown: it helps nobody and may be a whole file.
const MAX_SHOWN_LINE: usize = 300;

fn underline(place: &Place, line: &str) -> String {
    if line.chars().count() > MAX_SHOWN_LINE {
        return String::new();
    }
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    // Tabs stay tabs, so that the caret stands under its column whatever their width.
    let indent: String = line.chars().take(place.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let end = if place.end_line == place.line { place.end_column } else { line.chars().count() + 1 };
    let carets = "^".repeat(end.saturating_sub(place.column).max(1));
    format!(" {gutter} |\n {number} | {line}\n {gutter} | {indent}{carets}\n")
}

/// A text with a name, that turns byte offsets into places.
#[derive(Clone, Debug)]
pub(crate) struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: String,
    text: String,
    line_starts: Vec<usize>,
}

impl Source {
    pub(crate) fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self(Arc::new(Inner { file: file.into(), text, line_starts }))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    /// The text of `range`; empty when it does not lie on character boundaries.
    pub(crate) fn slice(&self, range: ByteRange<usize>) -> &str {
        self.0.text.get(range).unwrap_or_default()
    }

    pub(crate) fn place(&self, range: ByteRange<usize>) -> Place {
        let (line, column) = self.position(range.start);
        let (end_line, end_column) = self.position(range.end);
        Place { file: self.0.file.clone(), line, column, end_line, end_column }
    }

    pub(crate) fn error(&self, range: ByteRange<usize>, summary: impl Into<String>, detail: impl Into<String>) -> Diagnostic {
        let place = self.place(range);
        let begin = self.0.line_starts.get(place.line - 1).copied().unwrap_or(0);
        let source_line = self.slice(begin..self.0.text.len()).lines().next().map(str::to_owned);
        Diagnostic { place: Some(Box::new(place)), summary: summary.into(), detail: detail.into(), source_line, hint: None }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.0.text.len());
        while !self.0.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.0.line_starts.partition_point(|start| *start <= offset);
        let start = self.0.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line, self.slice(start..offset).chars().count() + 1)
    }
}
