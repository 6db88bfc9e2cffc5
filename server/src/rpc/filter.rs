//! Filter expressions of lists: `Status == "running" and not (ID contains "x")`.
//!
//! Operators: `==`, `!=`, `in`, `not in`, `contains`, `not contains`, `is empty`, `is not empty`, `matches`, `not matches`, joined with `and`, `or`, `not` and
//! parentheses. A selector is a path of keys (`JobSummary.Summary["web"].Running`). It is applied to a row as the API shows it.

use regex::{Regex, RegexBuilder};
use serde::Serialize;
use serde_json::Value;

/// The longest expression.
const MAX_LENGTH: usize = 4096;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// What a regular expression may take up once compiled.
const MAX_REGEX_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Filter {
    expression: Expression,
    /// Whether each selector's first key was seen in any row, in the order of the selectors.
    seen: Vec<(String, bool)>,
    rows: usize,
}

#[derive(Debug)]
enum Expression {
    Or(Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Match { selector: Vec<String>, operator: Operator },
}

#[derive(Debug)]
enum Operator {
    Equals(String),
    Contains(String),
    Empty,
    Matches(Regex),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("it is longer than {MAX_LENGTH} characters"));
        }
        let mut parser = Parser { tokens: tokens(text)?, position: 0, depth: 0 };
        let expression = parser.or()?;
        if let Some((token, at)) = parser.tokens.get(parser.position) {
            return Err(format!("1:{at}: unexpected {token:?}"));
        }
        let mut selectors = Vec::new();
        expression.selectors(&mut selectors);
        Ok(Self { expression, seen: selectors.into_iter().map(|first| (first, false)).collect(), rows: 0 })
    }

    pub(super) fn matches<T: Serialize>(&mut self, row: &T) -> bool {
        let Ok(row) = serde_json::to_value(row) else { return false };
        self.rows += 1;
        for (first, seen) in &mut self.seen {
            *seen |= row.get(first.as_str()).is_some();
        }
        self.expression.matches(&row)
    }

    /// A selector that no row has: a mistake, unless there were no rows to tell.
    pub(super) fn unknown_selector(&self) -> Option<String> {
        let (first, _) = self.seen.iter().find(|(_, seen)| !seen).filter(|_| self.rows > 0)?;
        Some(format!("error finding value in datum: /{first} at part 0: couldn't find key: struct field with name {first:?}"))
    }
}

impl Expression {
    fn selectors(&self, found: &mut Vec<String>) {
        match self {
            Self::Or(a, b) | Self::And(a, b) => {
                a.selectors(found);
                b.selectors(found);
            }
            Self::Not(inner) => inner.selectors(found),
            Self::Match { selector, .. } => found.extend(selector.first().cloned()),
        }
    }

    fn matches(&self, row: &Value) -> bool {
        match self {
            Self::Or(a, b) => a.matches(row) || b.matches(row),
            Self::And(a, b) => a.matches(row) && b.matches(row),
            Self::Not(inner) => !inner.matches(row),
            Self::Match { selector, operator } => {
                let value = selector.iter().try_fold(row, |value, key| match value {
                    Value::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
                    other => other.get(key.as_str()),
                });
                operator.matches(value.unwrap_or(&Value::Null))
            }
        }
    }
}

impl Operator {
    fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Equals(wanted), value) => text(value) == *wanted,
            (Self::Contains(wanted), Value::String(text)) => text.contains(wanted.as_str()),
            (Self::Contains(wanted), Value::Array(items)) => items.iter().any(|item| text(item) == *wanted),
            (Self::Contains(wanted), Value::Object(entries)) => entries.contains_key(wanted),
            (Self::Contains(_), Value::Null | Value::Bool(_) | Value::Number(_)) => false,
            (Self::Empty, Value::String(text)) => text.is_empty(),
            (Self::Empty, Value::Array(items)) => items.is_empty(),
            (Self::Empty, Value::Object(entries)) => entries.is_empty(),
            (Self::Empty, Value::Null) => true,
            (Self::Empty, Value::Bool(_) | Value::Number(_)) => false,
            (Self::Matches(regex), value) => regex.is_match(&text(value)),
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Mark(&'static str),
}

type Placed = (Token, usize);

fn tokens(text: &str) -> Result<Vec<Placed>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let column = at + 1;
        let token = match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Mark("("),
            ')' => Token::Mark(")"),
            '[' => Token::Mark("["),
            ']' => Token::Mark("]"),
            '.' => Token::Mark("."),
            '=' | '!' if chars.next_if(|(_, next)| *next == '=').is_some() => Token::Mark(if c == '=' { "==" } else { "!=" }),
            '"' | '`' => {
                let mut quoted = String::new();
                loop {
                    match chars.next() {
                        None => return Err(format!("1:{column}: a quote is not closed")),
                        Some((_, end)) if end == c => break,
                        Some((_, '\\')) if c == '"' => quoted.extend(chars.next().map(|(_, next)| next)),
                        Some((_, other)) => quoted.push(other),
                    }
                }
                Token::Quoted(quoted)
            }
            c if is_word(c) => {
                let mut word = String::from(c);
                // Numbers keep their point.
                let is_number = c.is_ascii_digit() || c == '-';
                while let Some((_, next)) = chars.next_if(|(_, next)| is_word(*next) || (is_number && *next == '.')) {
                    word.push(next);
                }
                Token::Word(word)
            }
            other => return Err(format!("1:{column}: unexpected {other:?}")),
        };
        tokens.push((token, column));
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/')
}

struct Parser {
    tokens: Vec<Placed>,
    position: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position).map(|(token, _)| token)
    }

    fn next(&mut self, expected: &str) -> Result<Token, String> {
        let found = self.tokens.get(self.position).cloned();
        self.position += 1;
        match found {
            Some((token, _)) => Ok(token),
            None => Err(format!("no match found, expected: {expected}")),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.position += usize::from(is_it);
        is_it
    }

    fn mark(&mut self, mark: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Token::Mark(found)) if *found == mark);
        self.position += usize::from(is_it);
        is_it
    }

    fn or(&mut self) -> Result<Expression, String> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Expression::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        let expression = if self.word("not") {
            Expression::Not(Box::new(self.not()?))
        } else if self.mark("(") {
            let inner = self.or()?;
            if !self.mark(")") {
                return Err("no match found, expected: \")\"".to_owned());
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(expression)
    }

    /// `SELECTOR OPERATOR [VALUE]`, or `VALUE in SELECTOR`.
    fn comparison(&mut self) -> Result<Expression, String> {
        let start = self.position;
        let first = self.next("a field")?;
        if let Token::Word(value) | Token::Quoted(value) = &first {
            let negated = matches!(self.tokens.get(self.position + 1), Some((Token::Word(word), _)) if word == "in") && self.word("not");
            if self.word("in") {
                let selector = self.selector()?;
                let found = Expression::Match { selector, operator: Operator::Contains(value.clone()) };
                return Ok(negate(negated, found));
            }
        }
        self.position = start;
        let selector = self.selector()?;
        let (negated, operator) = self.operator()?;
        Ok(negate(negated, Expression::Match { selector, operator }))
    }

    fn selector(&mut self) -> Result<Vec<String>, String> {
        let mut keys = match self.next("a field")? {
            Token::Word(word) => vec![word],
            // "/A/B" is the same as A.B.
            Token::Quoted(pointer) => pointer.split('/').filter(|key| !key.is_empty()).map(str::to_owned).collect(),
            Token::Mark(mark) => return Err(format!("no match found, expected a field, found {mark:?}")),
        };
        loop {
            if self.mark(".") {
                match self.next("a field")? {
                    Token::Word(word) => keys.push(word),
                    other => return Err(format!("no match found, expected a field, found {other:?}")),
                }
            } else if self.mark("[") {
                match self.next("a key")? {
                    Token::Word(key) | Token::Quoted(key) => keys.push(key),
                    Token::Mark(mark) => return Err(format!("no match found, expected a key, found {mark:?}")),
                }
                if !self.mark("]") {
                    return Err("no match found, expected: \"]\"".to_owned());
                }
            } else {
                return Ok(keys);
            }
        }
    }

    fn operator(&mut self) -> Result<(bool, Operator), String> {
        if self.mark("==") {
            return Ok((false, Operator::Equals(self.value()?)));
        }
        if self.mark("!=") {
            return Ok((true, Operator::Equals(self.value()?)));
        }
        if self.word("is") {
            let negated = self.word("not");
            return if self.word("empty") { Ok((negated, Operator::Empty)) } else { Err("no match found, expected: \"empty\"".to_owned()) };
        }
        let negated = self.word("not");
        if self.word("contains") {
            return Ok((negated, Operator::Contains(self.value()?)));
        }
        if self.word("matches") {
            let pattern = self.value()?;
            let regex = RegexBuilder::new(&pattern).size_limit(MAX_REGEX_BYTES).build();
            return regex.map(|regex| (negated, Operator::Matches(regex))).map_err(|_| format!("{pattern:?} is no regular expression"));
        }
        Err("no match found, expected: ==, !=, in, contains, is empty or matches".to_owned())
    }

    fn value(&mut self) -> Result<String, String> {
        match self.next("a value")? {
            Token::Word(value) | Token::Quoted(value) => Ok(value),
            Token::Mark(mark) => Err(format!("no match found, expected a value, found {mark:?}")),
        }
    }
}

fn negate(negated: bool, expression: Expression) -> Expression {
    if negated { Expression::Not(Box::new(expression)) } else { expression }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_pick_rows() {
        let row = json!({
            "ID": "web", "Status": "running", "Priority": 50, "Stop": false, "Datacenters": ["dc1", "dc2"], "Meta": {"a.b": "c"}, "Nothing": null,
        });
        for (expression, want) in [
            ("Status == \"running\"", true),
            ("Status == running", true),
            ("Status != running", false),
            ("Priority == 50", true),
            ("Stop == false and Priority != 50", false),
            ("Stop == true or ID == web", true),
            ("not Stop == true", true),
            ("not (Stop == false and (ID == web))", false),
            ("dc1 in Datacenters", true),
            ("\"dc3\" not in Datacenters", true),
            ("Datacenters contains dc2", true),
            ("ID contains eb", true),
            ("ID not contains eb", false),
            ("Nothing is empty", true),
            ("ID is not empty", true),
            ("ID matches \"^w.b$\"", true),
            ("ID not matches `x+`", true),
            ("Meta[\"a.b\"] == c", true),
            ("\"/Meta/a.b\" == c", true),
            ("Meta.zzz == c", false),
        ] {
            let mut filter = Filter::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
            assert_eq!((filter.matches(&row), filter.unknown_selector()), (want, None), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let (deep, long) = ("(".repeat(3000), "a".repeat(5000));
        for text in [
            "",
            "Nope ==",
            "((((",
            "ID matches \"(((\"",
            "ID ==  == x",
            "ID",
            "a == b c",
            "a == \"x",
            "a ? b",
            "[",
            "x in",
            deep.as_str(),
            long.as_str(),
        ] {
            assert!(Filter::parse(text).is_err(), "{text:.20}");
        }
        let mut filter = Filter::parse("Nope == x").unwrap();
        assert!(!filter.matches(&json!({ "ID": "web" })));
        assert!(filter.unknown_selector().unwrap().contains("Nope"));
    }
}
