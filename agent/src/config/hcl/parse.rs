//! Tokens to a tree.

use std::sync::Arc;

use super::{
    Body, Entry, MAX_DEPTH, Place, SyntaxError, Value,
    lex::{Lexer, Token},
};

/// Reads a whole file. `file` stands in messages.
pub(in crate::config) fn parse(text: &str, file: &str) -> Result<Body, SyntaxError> {
    let mut parser = Parser { lexer: Lexer::new(text, Arc::from(file)), ahead: None, depth: 0 };
    // JSON: the whole file is one object.
    if parser.take_mark('{')? {
        let body = parser.entries(Some('}'))?;
        return match parser.next()? {
            None => Ok(body),
            Some((_, place)) => Err(SyntaxError { place, message: "there is more after the closing brace".to_owned() }),
        };
    }
    parser.entries(None)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    ahead: Option<(Token, Place)>,
    depth: usize,
}

fn error<T>(place: Place, message: impl Into<String>) -> Result<T, SyntaxError> {
    Err(SyntaxError { place, message: message.into() })
}

impl Parser<'_> {
    fn next(&mut self) -> Result<Option<(Token, Place)>, SyntaxError> {
        match self.ahead.take() {
            Some(token) => Ok(Some(token)),
            None => self.lexer.next(),
        }
    }

    fn take_mark(&mut self, mark: char) -> Result<bool, SyntaxError> {
        match self.next()? {
            Some((Token::Mark(found), _)) if found == mark => Ok(true),
            other => {
                self.ahead = other;
                Ok(false)
            }
        }
    }

    fn deeper(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return error(self.lexer.place(), format!("blocks are nested more than {MAX_DEPTH} deep"));
        }
        Ok(())
    }

    /// Entries up to `end`, or to the end of the file.
    fn entries(&mut self, end: Option<char>) -> Result<Body, SyntaxError> {
        let mut entries = Vec::new();
        loop {
            match self.next()? {
                None if end.is_none() => return Ok(Body(entries)),
                None => return error(self.lexer.place(), "the file ends inside a block: `}` is missing"),
                Some((Token::Mark(mark), _)) if Some(mark) == end => return Ok(Body(entries)),
                Some((Token::Mark(','), _)) => {}
                Some((Token::Word(key) | Token::Text(key), place)) => {
                    let value = self.after_key(&key)?;
                    entries.push(Entry { key, place, value });
                }
                Some((Token::Number(text), place)) => return error(place, format!("expected a key, found the number {text}")),
                Some((Token::Mark(mark), place)) => return error(place, format!("expected a key, found `{mark}`")),
            }
        }
    }

    /// What follows a key: `= value`, a block, or labels and a block.
    fn after_key(&mut self, key: &str) -> Result<Value, SyntaxError> {
        match self.next()? {
            Some((Token::Mark('=' | ':'), _)) => self.value(),
            Some((Token::Mark('{'), _)) => self.block(),
            Some((Token::Word(label) | Token::Text(label), place)) => {
                self.deeper()?;
                let value = self.after_label(&label)?;
                self.depth -= 1;
                Ok(Value::Block(Body(vec![Entry { key: label, place, value }])))
            }
            Some((_, place)) => error(place, format!("key {key:?} must be followed by `=` or `{{`")),
            None => error(self.lexer.place(), format!("the file ends after the key {key:?}")),
        }
    }

    fn after_label(&mut self, label: &str) -> Result<Value, SyntaxError> {
        match self.next()? {
            Some((Token::Mark('{'), _)) => self.block(),
            Some((Token::Word(next) | Token::Text(next), place)) => {
                self.deeper()?;
                let value = self.after_label(&next)?;
                self.depth -= 1;
                Ok(Value::Block(Body(vec![Entry { key: next, place, value }])))
            }
            Some((_, place)) => error(place, format!("label {label:?} must be followed by `{{`")),
            None => error(self.lexer.place(), format!("the file ends after the label {label:?}")),
        }
    }

    fn block(&mut self) -> Result<Value, SyntaxError> {
        self.deeper()?;
        let body = self.entries(Some('}'))?;
        self.depth -= 1;
        Ok(Value::Block(body))
    }

    fn value(&mut self) -> Result<Value, SyntaxError> {
        match self.next()? {
            Some((Token::Text(text), _)) => Ok(Value::Text(text)),
            Some((Token::Number(text), place)) => number(text, place),
            Some((Token::Word(word), place)) => match word.as_str() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                "null" => Ok(Value::Null),
                _ => error(place, format!("expected a value, found the word {word}: put text in quotes")),
            },
            Some((Token::Mark('{'), _)) => self.block(),
            Some((Token::Mark('['), _)) => self.list(),
            Some((Token::Mark(mark), place)) => error(place, format!("expected a value, found `{mark}`")),
            None => error(self.lexer.place(), "the file ends where a value should be"),
        }
    }

    fn list(&mut self) -> Result<Value, SyntaxError> {
        self.deeper()?;
        let mut items = Vec::new();
        loop {
            if self.take_mark(']')? {
                self.depth -= 1;
                return Ok(Value::List(items));
            }
            items.push(self.value()?);
            if !self.take_mark(',')? {
                return match self.next()? {
                    Some((Token::Mark(']'), _)) => {
                        self.depth -= 1;
                        Ok(Value::List(items))
                    }
                    Some((_, place)) => error(place, "expected `,` or `]` in a list"),
                    None => error(self.lexer.place(), "the file ends inside a list: `]` is missing"),
                };
            }
        }
    }
}

fn number(text: String, place: Place) -> Result<Value, SyntaxError> {
    let digits = text.trim_start_matches(['-', '+']);
    let is_hex = digits.strip_prefix("0x").is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok());
    if is_hex || digits.parse::<f64>().is_ok_and(f64::is_finite) {
        return Ok(Value::Number(text));
    }
    error(place, format!("{text:?} is no number: put text in quotes"))
}
