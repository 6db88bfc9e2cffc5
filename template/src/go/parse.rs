//! Tokens to tree.

use std::collections::BTreeMap;

use super::ast::{Branch, BranchKind, Command, Expression, ExpressionKind, Node, Pipe};
use super::function::Function;
use super::lex::{self, Kind, Token};
use crate::limits::PARSE_DEPTH;

mod pipeline;

/// Why a text is no template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) line: usize,
    /// In bytes from the start of the text.
    pub(crate) position: usize,
    pub(crate) text: String,
}

/// Where names of functions are looked up.
pub(crate) trait Functions {
    fn find(&self, name: &str) -> Option<&'static Function>;
}

type Parsed<T> = Result<T, ParseError>;

/// All templates of a text by name; the text itself is `""`.
pub(crate) fn parse(source: &str, left: &str, right: &str, library: &dyn Functions) -> Parsed<BTreeMap<String, Vec<Node>>> {
    let (tokens, lex_error) = lex::tokens(source, left, right);
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        lex_error,
        library,
        variables: vec!["$".into()],
        ranges: 0,
        depth: 0,
        action_line: 0,
        templates: BTreeMap::new(),
    };
    let root = parser.file()?;
    parser.templates.entry(String::new()).or_insert(root);
    Ok(parser.templates)
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    next: usize,
    lex_error: Option<String>,
    library: &'a dyn Functions,
    /// Names in scope, innermost last.
    variables: Vec<Box<str>>,
    ranges: usize,
    depth: usize,
    /// Where the current action began; 0 outside.
    action_line: usize,
    templates: BTreeMap<String, Vec<Node>>,
}

/// How a list of nodes ended.
enum End {
    End,
    Else,
}

impl End {
    fn text(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

/// A node, or what ends the list.
enum Item {
    Node(Node),
    End(End),
}

impl<'a> Parser<'a> {
    fn error<T>(&self, text: impl Into<String>) -> Parsed<T> {
        let last = self.next.saturating_sub(1).min(self.tokens.len() - 1);
        let Token { line, position, .. } = self.tokens[last];
        Err(ParseError { line, position, text: text.into() })
    }

    fn unexpected<T>(&self, token: Token<'_>, context: &str) -> Parsed<T> {
        let (Kind::Error, Some(text)) = (token.kind, &self.lex_error) else {
            return self.error(format!("unexpected {token} in {context}"));
        };
        let mut text = text.clone();
        if self.action_line != 0 && self.action_line != token.line {
            let place = format!(" started at :{}", self.action_line);
            text += &if text.ends_with(" action") { place } else { format!(" in action{place}") };
        }
        self.error(text)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.tokens[self.next.min(self.tokens.len() - 1)];
        self.next += 1;
        token
    }

    fn peek(&self) -> Token<'a> {
        self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    fn take_nonspace(&mut self) -> Token<'a> {
        self.skip_space();
        self.take()
    }

    fn peek_nonspace(&mut self) -> Token<'a> {
        self.skip_space();
        self.peek()
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'a>> {
        let token = self.take_nonspace();
        if token.kind == kind { Ok(token) } else { self.unexpected(token, context) }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > PARSE_DEPTH {
            return self.error(format!("blocks or parentheses nested more than {PARSE_DEPTH} deep"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn file(&mut self) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::Eof {
            let before = self.next;
            if self.peek().kind == Kind::LeftDelimiter {
                self.take();
                let token = self.take_nonspace();
                if token.kind == Kind::Keyword && token.text == "define" {
                    self.action_line = token.line;
                    self.definition()?;
                    continue;
                }
                self.next = before;
            }
            match self.item()? {
                Item::Node(node) => nodes.push(node),
                Item::End(end) => return self.error(format!("unexpected {}", end.text())),
            }
        }
        Ok(nodes)
    }

    /// A body up to its `end` or `else`.
    fn list(&mut self) -> Parsed<(Vec<Node>, End)> {
        self.deeper(|parser| {
            let mut nodes = Vec::new();
            while parser.peek_nonspace().kind != Kind::Eof {
                match parser.item()? {
                    Item::Node(node) => nodes.push(node),
                    Item::End(end) => return Ok((nodes, end)),
                }
            }
            // The end of the text counts as read.
            parser.take();
            parser.error("unexpected EOF")
        })
    }

    fn item(&mut self) -> Parsed<Item> {
        let token = self.take_nonspace();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text.into()))),
            Kind::LeftDelimiter => {
                self.action_line = token.line;
                let item = self.action();
                self.action_line = 0;
                item
            }
            _ => self.unexpected(token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.take_nonspace();
        if token.kind != Kind::Keyword || token.text == "define" {
            self.next -= 1;
            let position = self.peek().position;
            let pipe = self.pipeline("command", Kind::RightDelimiter)?;
            return Ok(Item::Node(Node::Action { position, pipe }));
        }
        match token.text {
            "if" => self.control("if", BranchKind::If),
            "with" => self.control("with", BranchKind::With),
            "range" => self.control("range", BranchKind::Range),
            "block" => self.block(),
            "template" => self.call_template(),
            "break" => self.loop_control("{{break}}", Node::Break),
            "continue" => self.loop_control("{{continue}}", Node::Continue),
            "end" => {
                self.expect(Kind::RightDelimiter, "end")?;
                Ok(Item::End(End::End))
            }
            _ => {
                // `else if` and `else with` leave the keyword to the caller.
                let next = self.peek_nonspace();
                if !(next.kind == Kind::Keyword && matches!(next.text, "if" | "with")) {
                    self.expect(Kind::RightDelimiter, "else")?;
                }
                Ok(Item::End(End::Else))
            }
        }
    }

    fn loop_control(&mut self, name: &str, node: Node) -> Parsed<Item> {
        let token = self.take_nonspace();
        if token.kind != Kind::RightDelimiter {
            return self.unexpected(token, name);
        }
        if self.ranges == 0 {
            return self.error(format!("{name} outside {{{{range}}}}"));
        }
        Ok(Item::Node(node))
    }

    fn control(&mut self, context: &str, kind: BranchKind) -> Parsed<Item> {
        let scope = self.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        let position = pipe.position;
        let is_range = kind == BranchKind::Range;
        self.ranges += usize::from(is_range);
        let (body, end) = self.list()?;
        self.ranges -= usize::from(is_range);
        let otherwise = match end {
            End::End => None,
            End::Else => Some(self.otherwise(kind)?),
        };
        self.variables.truncate(scope);
        Ok(Item::Node(Node::Branch(Box::new(Branch { kind, position, pipe, body, otherwise }))))
    }

    fn otherwise(&mut self, kind: BranchKind) -> Parsed<Vec<Node>> {
        let next = self.peek();
        let chained = match kind {
            BranchKind::If => next.text == "if",
            BranchKind::With => next.text == "with",
            BranchKind::Range => false,
        };
        if next.kind == Kind::Keyword && chained {
            self.take();
            let context = if kind == BranchKind::If { "if" } else { "with" };
            // One `end` closes the whole chain.
            return match self.deeper(|parser| parser.control(context, kind))? {
                Item::Node(node) => Ok(vec![node]),
                Item::End(_) => Ok(Vec::new()),
            };
        }
        let (nodes, end) = self.list()?;
        match end {
            End::End => Ok(nodes),
            End::Else => self.error("expected end; found {{else}}"),
        }
    }

    fn template_name(&mut self, context: &str) -> Parsed<(usize, String)> {
        let token = self.take_nonspace();
        match token.kind {
            Kind::String | Kind::RawString => match super::quote::unquote(token.text) {
                Some(name) => Ok((token.position, String::from_utf8_lossy(&name).into_owned())),
                None => self.error("invalid syntax"),
            },
            _ => self.unexpected(token, context),
        }
    }

    fn definition(&mut self) -> Parsed<()> {
        let context = "define clause";
        let (_, name) = self.template_name(context)?;
        self.expect(Kind::RightDelimiter, context)?;
        self.own_body(context, name)
    }

    /// A body with its own variables.
    fn own_body(&mut self, context: &str, name: String) -> Parsed<()> {
        let outer = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (body, end) = self.list()?;
        self.variables = outer;
        self.ranges = ranges;
        if let End::Else = end {
            return self.error(format!("unexpected {} in {context}", end.text()));
        }
        self.add_template(name, body)
    }

    /// Of two templates with one name, the one with content counts; two with content are an error.
    fn add_template(&mut self, name: String, body: Vec<Node>) -> Parsed<()> {
        match self.templates.get(&name) {
            Some(present) if !is_blank(present) => {
                if is_blank(&body) {
                    return Ok(());
                }
                self.error(format!("template: multiple definition of template {}", super::quote::quote(name.as_bytes())))
            }
            _ => {
                self.templates.insert(name, body);
                Ok(())
            }
        }
    }

    fn call_template(&mut self) -> Parsed<Item> {
        let context = "template clause";
        let (position, name) = self.template_name(context)?;
        let pipe = if self.peek_nonspace().kind == Kind::RightDelimiter {
            self.take();
            None
        } else {
            Some(self.pipeline(context, Kind::RightDelimiter)?)
        };
        Ok(Item::Node(Node::Template { position, name: name.into(), pipe }))
    }

    fn block(&mut self) -> Parsed<Item> {
        let context = "block clause";
        let (position, name) = self.template_name(context)?;
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        self.own_body(context, name.clone())?;
        Ok(Item::Node(Node::Template { position, name: name.into(), pipe: Some(pipe) }))
    }
}

/// True for a body that prints nothing but blanks.
fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

/// A word of a command.
fn expression(position: usize, kind: ExpressionKind) -> Expression {
    Expression { position, kind }
}

/// A command from its words.
fn command(position: usize, words: Vec<Expression>) -> Command {
    Command { position, words }
}

/// A pipeline that is being read.
fn pipe(position: usize) -> Pipe {
    Pipe { position, variables: Vec::new(), assigns: false, commands: Vec::new() }
}
