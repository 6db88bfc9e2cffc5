//! Where a number ends.

use super::super::quote;
use super::{Kind, Lexer, is_word};

impl Lexer<'_> {
    pub(super) fn number(&mut self) -> Result<(), String> {
        self.position = self.start;
        let mut complex = false;
        let mut good = self.scan_number();
        if good && matches!(self.peek(), Some('+' | '-')) {
            complex = true;
            good = self.scan_number() && self.source[..self.position].ends_with('i');
        }
        if !good {
            let text = quote::quote(&self.source.as_bytes()[self.start..self.position]);
            return self.fail(format!("bad number syntax: {text}"));
        }
        self.emit(if complex { Kind::Complex } else { Kind::Number });
        Ok(())
    }

    fn scan_number(&mut self) -> bool {
        if matches!(self.peek(), Some('+' | '-')) {
            self.next();
        }
        let (prefix, digits): (usize, fn(char) -> bool) = match self.rest().get(..2) {
            Some("0x" | "0X") => (2, |c| c.is_ascii_hexdigit() || c == '_'),
            Some("0o" | "0O") => (2, |c| matches!(c, '0'..='7' | '_')),
            Some("0b" | "0B") => (2, |c| matches!(c, '0' | '1' | '_')),
            _ => (0, |c| c.is_ascii_digit() || c == '_'),
        };
        let (hexadecimal, decimal) = (digits('a'), prefix == 0);
        self.advance(prefix);
        self.skip_while(digits);
        if self.peek() == Some('.') {
            self.next();
            self.skip_while(digits);
        }
        let exponent = if decimal { ['e', 'E'] } else { ['p', 'P'] };
        if (decimal || hexadecimal) && self.peek().is_some_and(|c| exponent.contains(&c)) {
            self.next();
            if matches!(self.peek(), Some('+' | '-')) {
                self.next();
            }
            self.skip_while(|c| c.is_ascii_digit() || c == '_');
        }
        if self.peek() == Some('i') {
            self.next();
        }
        if self.peek().is_some_and(is_word) {
            self.next();
            return false;
        }
        true
    }
}
