//! What stands between the delimiters: declarations, commands, words.

use super::super::ast::{Callee, Command, Expression, ExpressionKind, Pipe};
use super::super::lex::{Kind, Token};
use super::super::number::Number;
use super::super::quote;
use super::super::value::Text;
use super::{Parsed, Parser, command, expression, pipe};

impl<'a> Parser<'a> {
    /// A pipeline up to and with the token that ends it.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        self.deeper(|parser| {
            let mut pipe = pipe(parser.peek_nonspace().position);
            parser.declarations(context, &mut pipe)?;
            loop {
                let token = parser.take_nonspace();
                match token.kind {
                    kind if kind == end => {
                        parser.check(&pipe, context)?;
                        return Ok(pipe);
                    }
                    Kind::Bool
                    | Kind::CharConstant
                    | Kind::Complex
                    | Kind::Dot
                    | Kind::Field
                    | Kind::Identifier
                    | Kind::Number
                    | Kind::Nil
                    | Kind::RawString
                    | Kind::String
                    | Kind::Variable
                    | Kind::LeftParen => {
                        parser.next -= 1;
                        let command = parser.command()?;
                        pipe.commands.push(command);
                    }
                    _ => return parser.unexpected(token, context),
                }
            }
        })
    }

    /// `$a :=`, `$a =`, and in a range `$a, $b :=`.
    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Parsed<()> {
        loop {
            let before = self.next;
            let token = self.peek_nonspace();
            if token.kind != Kind::Variable {
                return Ok(());
            }
            self.take();
            let next = self.peek_nonspace();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assigns = next.kind == Kind::Assign;
                    self.take();
                    pipe.variables.push(token.text.into());
                    self.variables.push(token.text.into());
                    return Ok(());
                }
                Kind::Char if next.text == "," => {
                    self.take();
                    pipe.variables.push(token.text.into());
                    self.variables.push(token.text.into());
                    if context != "range" || pipe.variables.len() >= 2 {
                        return self.error(format!("too many declarations in {context}"));
                    }
                    if !matches!(self.peek_nonspace().kind, Kind::Variable | Kind::RightDelimiter | Kind::RightParen) {
                        return self.error("range can only initialize variables");
                    }
                }
                _ => {
                    // It was an argument.
                    self.next = before;
                    return Ok(());
                }
            }
        }
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let word = command.words.first().map(|word| &word.kind);
            if let Some(
                ExpressionKind::Bool(_)
                | ExpressionKind::Dot
                | ExpressionKind::Nil
                | ExpressionKind::Number(_)
                | ExpressionKind::String { .. },
            ) = word
            {
                return self.error(format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let position = self.peek_nonspace().position;
        let mut words = Vec::new();
        loop {
            self.skip_space();
            if let Some(word) = self.operand()? {
                words.push(word);
            }
            let token = self.take();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelimiter | Kind::RightParen => self.next -= 1,
                Kind::Pipe => {}
                _ => return self.unexpected(token, "operand"),
            }
            break;
        }
        if words.is_empty() {
            return self.error("empty command");
        }
        Ok(command(position, words))
    }

    /// A term with the fields after it.
    fn operand(&mut self) -> Parsed<Option<Expression>> {
        let Some(mut term) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(term));
        }
        let position = self.peek().position;
        let mut names: Vec<Box<str>> = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.take().text[1..].into());
        }
        match &mut term.kind {
            ExpressionKind::Field(first) | ExpressionKind::Variable(first) => first.extend(names),
            ExpressionKind::Bool(_)
            | ExpressionKind::String { .. }
            | ExpressionKind::Number(_)
            | ExpressionKind::Nil
            | ExpressionKind::Dot => return self.error(format!("unexpected . after term {}", quote::quote(term.to_string().as_bytes()))),
            _ => return Ok(Some(expression(position, ExpressionKind::Chain(Box::new(term), names)))),
        }
        Ok(Some(expression(position, term.kind)))
    }

    fn term(&mut self) -> Parsed<Option<Expression>> {
        let token = self.take_nonspace();
        let kind = match token.kind {
            Kind::Identifier => self.function(token)?,
            Kind::Dot => ExpressionKind::Dot,
            Kind::Nil => ExpressionKind::Nil,
            Kind::Variable => {
                if !self.variables.iter().any(|name| **name == *token.text) {
                    return self.error(format!("undefined variable {}", quote::quote(token.text.as_bytes())));
                }
                ExpressionKind::Variable(vec![token.text.into()])
            }
            Kind::Field => ExpressionKind::Field(vec![token.text[1..].into()]),
            Kind::Bool => ExpressionKind::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => match Number::parse(token.text) {
                Ok(number) => ExpressionKind::Number(number),
                Err(text) => return self.error(text),
            },
            Kind::LeftParen => {
                let position = self.peek_nonspace().position;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                return Ok(Some(expression(position, ExpressionKind::Pipe(Box::new(pipe)))));
            }
            Kind::String | Kind::RawString => match quote::unquote(token.text) {
                Some(value) => ExpressionKind::String { value: Text::from(value), source: token.text.into() },
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.next -= 1;
                return Ok(None);
            }
        };
        Ok(Some(expression(token.position, kind)))
    }

    fn function(&self, token: Token<'_>) -> Parsed<ExpressionKind> {
        match self.library.find(token.text) {
            Some(function) => Ok(ExpressionKind::Function(Callee { function, name: token.text.into() })),
            None => self.error(format!("function {} not defined", quote::quote(token.text.as_bytes()))),
        }
    }
}
