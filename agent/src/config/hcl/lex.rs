//! Text to tokens.

use std::{iter::Peekable, str::Chars, sync::Arc};

use super::{Place, SyntaxError};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(String),
    /// `{ } [ ] = : ,`
    Mark(char),
}

pub(super) struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    file: Arc<str>,
    line: u32,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, file: Arc<str>) -> Self {
        // Editors of another system put a mark in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { chars: text.chars().peekable(), file, line: 1 }
    }

    pub(super) fn place(&self) -> Place {
        Place { file: Arc::clone(&self.file), line: self.line }
    }

    fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { place: self.place(), message: message.into() }
    }

    fn advance(&mut self) -> Option<char> {
        let next = self.chars.next();
        if next == Some('\n') {
            self.line = self.line.saturating_add(1);
        }
        next
    }

    /// The next token with the line it begins in; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(Token, Place)>, SyntaxError> {
        self.skip_blank()?;
        let place = self.place();
        let Some(&first) = self.chars.peek() else { return Ok(None) };
        let token = match first {
            '{' | '}' | '[' | ']' | '=' | ':' | ',' => {
                self.advance();
                Token::Mark(first)
            }
            '"' => Token::Text(self.quoted()?),
            '<' => Token::Text(self.heredoc()?),
            '-' | '+' | '0'..='9' => Token::Number(self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))),
            c if c.is_alphabetic() || c == '_' => Token::Word(self.run(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))),
            other => return Err(self.error(format!("unexpected character {other:?}"))),
        };
        Ok(Some((token, place)))
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(&c) = self.chars.peek() {
            if !belongs(c) {
                break;
            }
            text.push(c);
            self.advance();
        }
        text
    }

    fn skip_blank(&mut self) -> Result<(), SyntaxError> {
        while let Some(&c) = self.chars.peek() {
            match c {
                '#' => self.skip_line(),
                '/' => {
                    self.advance();
                    match self.chars.peek() {
                        Some('/') => self.skip_line(),
                        Some('*') => self.skip_comment()?,
                        _ => return Err(self.error("unexpected character '/'")),
                    }
                }
                c if c.is_whitespace() => {
                    self.advance();
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn skip_line(&mut self) {
        while self.chars.peek().is_some_and(|c| *c != '\n') {
            self.advance();
        }
    }

    fn skip_comment(&mut self) -> Result<(), SyntaxError> {
        let began = self.place();
        self.advance();
        let mut last = ' ';
        while let Some(c) = self.advance() {
            if last == '*' && c == '/' {
                return Ok(());
            }
            last = c;
        }
        Err(SyntaxError { place: began, message: "comment is not closed: `*/` is missing".to_owned() })
    }

    fn quoted(&mut self) -> Result<String, SyntaxError> {
        let began = self.place();
        let unclosed = || SyntaxError { place: began.clone(), message: "string is not closed: `\"` is missing".to_owned() };
        self.advance();
        let mut text = String::new();
        // Inside `${ }` quotes do not end the string.
        let mut braces = 0_u32;
        loop {
            match self.advance().ok_or_else(unclosed)? {
                '"' if braces == 0 => return Ok(text),
                '\n' if braces == 0 => return Err(unclosed()),
                '\\' => text.push(self.escape()?),
                '$' if self.chars.peek() == Some(&'{') => {
                    self.advance();
                    text.push_str("${");
                    braces += 1;
                }
                '}' if braces > 0 => {
                    text.push('}');
                    braces -= 1;
                }
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let digits = match self.advance() {
            Some('n') => return Ok('\n'),
            Some('t') => return Ok('\t'),
            Some('r') => return Ok('\r'),
            Some('b') => return Ok('\u{8}'),
            Some('f') => return Ok('\u{c}'),
            Some(c @ ('"' | '\\' | '/')) => return Ok(c),
            Some('u') => 4,
            Some('U') => 8,
            Some(other) => return Err(self.error(format!("unknown escape `\\{other}` in a string"))),
            None => return Err(self.error("string ends after `\\`")),
        };
        let hex: String = (0..digits).map_while(|_| self.chars.next_if(char::is_ascii_hexdigit)).collect();
        let code = if hex.len() == digits { u32::from_str_radix(&hex, 16).ok() } else { None };
        code.and_then(char::from_u32).ok_or_else(|| self.error(format!("`\\u{hex}` is no character")))
    }

    /// `<<WORD` or `<<-WORD` to the line that holds WORD alone. The second form takes away the indentation that all lines share.
    fn heredoc(&mut self) -> Result<String, SyntaxError> {
        let began = self.place();
        let fail = |message: String| SyntaxError { place: began.clone(), message };
        self.advance();
        if self.advance() != Some('<') {
            return Err(fail("unexpected character '<'".to_owned()));
        }
        let indented = self.chars.next_if_eq(&'-').is_some();
        let word = self.run(|c| c.is_alphanumeric() || c == '_' || c == '-');
        let rest = self.run(|c| c != '\n');
        if word.is_empty() || !rest.trim().is_empty() {
            return Err(fail("`<<` must be followed by one word and the end of the line".to_owned()));
        }
        self.advance();
        let mut lines = Vec::new();
        loop {
            if self.chars.peek().is_none() {
                return Err(fail(format!("the text that begins with <<{word} is not closed: no line holds {word} alone")));
            }
            let line = self.run(|c| c != '\n');
            self.advance();
            if line.trim() == word {
                break;
            }
            lines.push(line);
        }
        let shared = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len()).min();
        let cut = if indented { shared.unwrap_or(0) } else { 0 };
        Ok(lines.iter().map(|line| format!("{}\n", line.get(cut..).unwrap_or(""))).collect())
    }
}
