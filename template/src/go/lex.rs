//! Text to tokens.

use std::fmt;

mod number;

const TRIM: char = '-';
const OPEN_COMMENT: &str = "/*";
const CLOSE_COMMENT: &str = "*/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Eof,
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Char,
    Bool,
    CharConstant,
    Complex,
    Number,
    Identifier,
    Field,
    Variable,
    Dot,
    Nil,
    String,
    RawString,
    Keyword,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) position: usize,
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Eof => f.write_str("EOF"),
            Kind::Error => f.write_str(self.text),
            Kind::Keyword => write!(f, "<{}>", self.text),
            _ if self.text.chars().count() > 10 => {
                let short: String = self.text.chars().take(10).collect();
                write!(f, "{}...", super::quote::quote(short.as_bytes()))
            }
            _ => f.write_str(&super::quote::quote(self.text.as_bytes())),
        }
    }
}

const KEYWORDS: [&str; 10] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// All tokens of a text. The last one is `Eof`, or an `Error` with its message.
pub(crate) fn tokens<'a>(source: &'a str, left: &'a str, right: &'a str) -> (Vec<Token<'a>>, Option<String>) {
    let mut lexer = Lexer { source, left, right, position: 0, start: 0, line: 1, start_line: 1, parens: 0, tokens: Vec::new() };
    let error = lexer.run().err();
    if error.is_none() {
        lexer.start = lexer.position;
        lexer.emit(Kind::Eof);
    }
    (lexer.tokens, error)
}

struct Lexer<'a> {
    source: &'a str,
    left: &'a str,
    right: &'a str,
    position: usize,
    start: usize,
    /// Line of `position`.
    line: usize,
    /// Line of `start`.
    start_line: usize,
    parens: usize,
    tokens: Vec<Token<'a>>,
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self, bytes: usize) {
        let passed = &self.source[self.position..self.position + bytes];
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
        self.position += bytes;
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.advance(c.len_utf8());
        Some(c)
    }

    fn skip_while(&mut self, accept: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.next();
        }
    }

    fn ignore(&mut self) {
        self.start = self.position;
        self.start_line = self.line;
    }

    fn emit(&mut self, kind: Kind) {
        let text = &self.source[self.start..self.position];
        self.tokens.push(Token { kind, position: self.start, line: self.start_line, text });
        self.ignore();
    }

    /// The error becomes the last token; its text is kept beside the tokens.
    fn fail<T>(&mut self, text: impl Into<String>) -> Result<T, String> {
        self.tokens.push(Token { kind: Kind::Error, position: self.start, line: self.start_line, text: "" });
        Err(text.into())
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(offset) = self.rest().find(self.left) {
            let after = &self.rest()[offset + self.left.len()..];
            let trims = has_left_trim(after);
            let mut text = &self.rest()[..offset];
            if trims {
                text = text.trim_end_matches(is_space);
            }
            let whole = offset;
            let kept = text.len();
            self.advance(kept);
            if kept > 0 {
                self.emit(Kind::Text);
            }
            self.advance(whole - kept);
            self.ignore();
            self.left_delimiter(trims)?;
        }
        self.advance(self.rest().len());
        if self.position > self.start {
            self.emit(Kind::Text);
        }
        Ok(())
    }

    fn left_delimiter(&mut self, trims: bool) -> Result<(), String> {
        let marker = if trims { 2 } else { 0 };
        if self.rest()[self.left.len() + marker..].starts_with(OPEN_COMMENT) {
            self.advance(self.left.len() + marker);
            self.ignore();
            return self.comment();
        }
        self.advance(self.left.len());
        self.emit(Kind::LeftDelimiter);
        self.advance(marker);
        self.ignore();
        self.parens = 0;
        while self.action()? {}
        Ok(())
    }

    fn comment(&mut self) -> Result<(), String> {
        self.advance(OPEN_COMMENT.len());
        let Some(end) = self.rest().find(CLOSE_COMMENT) else { return self.fail("unclosed comment") };
        self.advance(end + CLOSE_COMMENT.len());
        let Some(trims) = self.at_right_delimiter() else { return self.fail("comment ends before closing delimiter") };
        self.close(trims, false);
        Ok(())
    }

    /// `Some(true)` at a delimiter that trims what follows.
    fn at_right_delimiter(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim(rest) && rest[2..].starts_with(self.right) {
            return Some(true);
        }
        rest.starts_with(self.right).then_some(false)
    }

    fn close(&mut self, trims: bool, emit: bool) {
        if trims {
            self.advance(2);
            self.ignore();
        }
        self.advance(self.right.len());
        if emit {
            self.emit(Kind::RightDelimiter);
        }
        if trims {
            self.skip_while(is_space);
        }
        self.ignore();
    }

    /// One token inside an action; false after the closing delimiter.
    fn action(&mut self) -> Result<bool, String> {
        if let Some(trims) = self.at_right_delimiter() {
            if self.parens > 0 {
                return self.fail("unclosed left paren");
            }
            self.close(trims, true);
            return Ok(false);
        }
        let Some(c) = self.next() else { return self.fail("unclosed action") };
        match c {
            c if is_space(c) => self.spaces(),
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return self.fail("expected :=");
                }
                self.emit(Kind::Declare);
            }
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant")?,
            '`' => self.raw_string()?,
            '$' => self.word(Kind::Variable, Kind::Variable)?,
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => self.word(Kind::Field, Kind::Dot)?,
            '.' | '+' | '-' | '0'..='9' => self.number()?,
            c if is_word(c) => self.identifier()?,
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen);
            }
            ')' => {
                if self.parens == 0 {
                    return self.fail("unexpected right paren");
                }
                self.parens -= 1;
                self.emit(Kind::RightParen);
            }
            c if c.is_ascii_graphic() => self.emit(Kind::Char),
            c => return self.fail(format!("unrecognized character in action: {}", code_point(c))),
        }
        Ok(true)
    }

    /// A run of blanks. The last one may belong to a trimming delimiter.
    fn spaces(&mut self) {
        while self.peek().is_some_and(is_space) && self.at_right_delimiter() != Some(true) {
            self.next();
        }
        // The blank that was taken first may itself be the one before `-}}`.
        if self.source[self.position - 1..].starts_with(is_space) {
            let rest = &self.source[self.position - 1..];
            if has_right_trim(rest) && rest[2..].starts_with(self.right) {
                let newline = rest.starts_with('\n');
                self.position -= 1;
                self.line -= usize::from(newline);
                if self.position == self.start {
                    return;
                }
            }
        }
        self.emit(Kind::Space);
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Result<(), String> {
        loop {
            match self.next() {
                Some('\\') => match self.next() {
                    None | Some('\n') => return self.fail(unterminated),
                    Some(_) => {}
                },
                None | Some('\n') => return self.fail(unterminated),
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    fn raw_string(&mut self) -> Result<(), String> {
        let Some(end) = self.rest().find('`') else { return self.fail("unterminated raw quoted string") };
        self.advance(end + 1);
        self.emit(Kind::RawString);
        Ok(())
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None => true,
            Some(c) if is_space(c) => true,
            Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with(self.right),
        }
    }

    /// What follows `$` or `.`; `alone` if nothing does.
    fn word(&mut self, kind: Kind, alone: Kind) -> Result<(), String> {
        let bare = self.at_terminator();
        self.skip_while(is_word);
        self.expect_terminator()?;
        self.emit(if bare { alone } else { kind });
        Ok(())
    }

    fn expect_terminator(&mut self) -> Result<(), String> {
        if self.at_terminator() {
            return Ok(());
        }
        let c = self.peek().unwrap_or_default();
        self.fail(format!("bad character {}", code_point(c)))
    }

    fn identifier(&mut self) -> Result<(), String> {
        self.skip_while(is_word);
        self.expect_terminator()?;
        let word = &self.source[self.start..self.position];
        self.emit(match word {
            _ if KEYWORDS.contains(&word) => Kind::Keyword,
            "nil" => Kind::Nil,
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        });
        Ok(())
    }
}

/// `- ` after a left delimiter.
fn has_left_trim(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some(TRIM) && chars.next().is_some_and(is_space)
}

/// ` -` before a right delimiter.
fn has_right_trim(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_space) && chars.next() == Some(TRIM)
}

fn code_point(c: char) -> String {
    let printable = if c.is_control() { String::new() } else { format!(" '{c}'") };
    format!("U+{:04X}{printable}", c as u32)
}
