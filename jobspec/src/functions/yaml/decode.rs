//! Reads YAML: block and flow collections, plain, quoted and block scalars, comments. Anchors, tags and several documents are refused.

use std::collections::BTreeMap;

use crate::value::{Number, Value};

use super::flow::{Flow, Problem};

/// How deep collections may nest.
pub(super) const MAX_DEPTH: usize = 64;

pub(in crate::functions) fn decode(text: &str) -> Result<Value, String> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line == "---" && lines.iter().all(|line: &Line<'_>| line.is_blank()) {
            continue;
        }
        if line == "---" || line == "..." || line.starts_with('%') {
            return Err(format!("line {}: only one document without directives is read", number + 1));
        }
        let content = line.trim_start_matches(' ');
        if content.starts_with('\t') {
            return Err(format!("line {}: tabs cannot indent", number + 1));
        }
        lines.push(Line { number: number + 1, indent: line.len() - content.len(), content });
    }
    let mut reader = Reader { lines, at: 0 };
    let value = reader.node(0, 0)?;
    reader.skip_blank();
    match reader.lines.get(reader.at) {
        Some(line) => Err(format!("line {}: unexpected content", line.number)),
        None => Ok(value),
    }
}

#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    indent: usize,
    content: &'a str,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.content.is_empty() || self.content.starts_with('#')
    }
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn skip_blank(&mut self) {
        while self.lines.get(self.at).is_some_and(Line::is_blank) {
            self.at += 1;
        }
    }

    fn peek(&mut self, indent: usize) -> Option<Line<'a>> {
        self.skip_blank();
        self.lines.get(self.at).copied().filter(|line| line.indent >= indent)
    }

    /// The value that begins on the next line, indented by at least `indent`.
    fn node(&mut self, indent: usize, depth: usize) -> Result<Value, String> {
        let Some(line) = self.peek(indent) else { return Ok(Value::Null) };
        if depth > MAX_DEPTH {
            return Err(format!("line {}: nested more than {MAX_DEPTH} levels deep", line.number));
        }
        if line.content == "-" || line.content.starts_with("- ") {
            return self.sequence(line.indent, depth);
        }
        if split_key(line.content, line.number)?.is_some() {
            return self.mapping(line.indent, depth);
        }
        self.at += 1;
        self.scalar(line.content, line, indent)
    }

    fn sequence(&mut self, indent: usize, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        while let Some(line) = self.peek(indent).filter(|line| line.indent == indent) {
            let Some(rest) = line.content.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' ')) else { break };
            let item = rest.trim_start();
            if item.is_empty() || item.starts_with('#') {
                self.at += 1;
                items.push(self.node(indent + 1, depth + 1)?);
            } else {
                // The item is read as if it stood alone on its line, indented to where it begins.
                let offset = line.content.len() - item.len();
                self.lines[self.at] = Line { indent: indent + offset, content: item, ..line };
                items.push(self.node(indent + offset, depth + 1)?);
            }
        }
        Ok(Value::list(items))
    }

    fn mapping(&mut self, indent: usize, depth: usize) -> Result<Value, String> {
        let mut entries = BTreeMap::new();
        while let Some(line) = self.peek(indent) {
            if line.indent != indent {
                return Err(format!("line {}: unexpected indentation", line.number));
            }
            let Some((key, rest)) = split_key(line.content, line.number)? else {
                return Err(format!("line {}: expected \"key: value\"", line.number));
            };
            self.at += 1;
            let rest = rest.trim_start();
            let value = if rest.is_empty() || rest.starts_with('#') {
                // A list may stand at the indentation of its key.
                let list = self.peek(indent).is_some_and(|next| next.indent == indent && next.content.starts_with('-'));
                self.node(if list { indent } else { indent + 1 }, depth + 1)?
            } else {
                self.scalar(rest, line, indent + 1)?
            };
            if entries.insert(key.clone(), value).is_some() {
                return Err(format!("line {}: key {key:?} appears twice", line.number));
            }
            if self.peek(indent).is_none() {
                break;
            }
        }
        Ok(Value::object(entries))
    }

    /// A scalar or flow collection that begins with `text` and may go on over lines indented by `indent`.
    fn scalar(&mut self, text: &'a str, line: Line<'a>, indent: usize) -> Result<Value, String> {
        match text.as_bytes().first() {
            Some(b'|' | b'>') => self.block_scalar(text, indent),
            Some(b'&' | b'*' | b'!' | b'@' | b'`') => Err(format!("line {}: anchors, aliases and tags are not read", line.number)),
            Some(b'"' | b'\'' | b'[' | b'{') => self.flow(text, line),
            _ => {
                let mut whole = strip_comment(text).to_owned();
                while let Some(next) = self.peek(indent).filter(|_| indent > 0) {
                    if split_key(next.content, next.number)?.is_some() {
                        break;
                    }
                    whole.push(' ');
                    whole.push_str(strip_comment(next.content));
                    self.at += 1;
                }
                Ok(plain(&whole))
            }
        }
    }

    /// A quoted text or a collection in brackets, which may go on over any lines. They are added in growing numbers, so that a long value is not
    /// read again for each of its lines.
    fn flow(&mut self, text: &str, line: Line<'_>) -> Result<Value, String> {
        let mut more = 0;
        loop {
            let following = self.lines.iter().skip(self.at).take(more).map(|line| line.content);
            let whole = std::iter::once(text).chain(following).collect::<Vec<_>>().join("\n");
            let mut flow = Flow { rest: &whole, line: line.number };
            match flow.value(0) {
                Ok(value) => {
                    let consumed = whole.len() - flow.rest.len();
                    let rest = flow.rest.split('\n').next().unwrap_or_default().trim_start();
                    if !rest.is_empty() && !rest.starts_with('#') {
                        return Err(format!("line {}: unexpected content after the value", line.number));
                    }
                    self.at += whole[..consumed].matches('\n').count();
                    return Ok(value);
                }
                Err(Problem::Wrong(reason)) => return Err(reason),
                Err(Problem::Unfinished) if more >= self.lines.len() => {
                    return Err(format!("line {}: the value is not closed", line.number));
                }
                Err(Problem::Unfinished) => more = more * 2 + 1,
            }
        }
    }

    fn block_scalar(&mut self, header: &str, indent: usize) -> Result<Value, String> {
        let folded = header.starts_with('>');
        let mut own = None;
        let mut body: Vec<(usize, &str)> = Vec::new();
        while let Some(line) = self.lines.get(self.at) {
            if !line.content.is_empty() {
                let first = *own.get_or_insert(line.indent);
                if line.indent < first || line.indent < indent {
                    break;
                }
                body.push((line.indent - first, line.content));
            } else {
                body.push((0, ""));
            }
            self.at += 1;
        }
        let trailing = body.iter().rev().take_while(|(_, text)| text.is_empty()).count();
        body.truncate(body.len() - trailing);
        let mut text = String::new();
        for (at, (extra, line)) in body.iter().enumerate() {
            if at > 0 {
                text.push(if folded && *extra == 0 && !line.is_empty() && !body[at - 1].1.is_empty() { ' ' } else { '\n' });
            }
            text.push_str(&" ".repeat(*extra));
            text.push_str(line);
        }
        match header.as_bytes().get(1) {
            Some(b'-') => {}
            Some(b'+') => text.push_str(&"\n".repeat(trailing + 1)),
            _ if text.is_empty() => {}
            _ => text.push('\n'),
        }
        Ok(Value::from(text))
    }
}

/// `key: rest`, if the line is one.
fn split_key(content: &str, number: usize) -> Result<Option<(String, &str)>, String> {
    if content.starts_with(['"', '\'']) {
        let mut flow = Flow { rest: content, line: number };
        return match flow.value(0) {
            Ok(Value::String(key)) => Ok(flow
                .rest
                .trim_start()
                .strip_prefix(':')
                .filter(|rest| rest.is_empty() || rest.starts_with(' '))
                .map(|rest| (key.to_string(), rest))),
            Ok(_) | Err(Problem::Unfinished) => Ok(None),
            Err(Problem::Wrong(reason)) => Err(reason),
        };
    }
    if content.starts_with(['[', '{', '|', '>', '#']) {
        return Ok(None);
    }
    let text = strip_comment(content);
    let at = match text.find(": ") {
        Some(at) => at,
        None if text.ends_with(':') => text.len() - 1,
        None => return Ok(None),
    };
    Ok(Some((content[..at].trim_end().to_owned(), &content[at + 1..])))
}

fn strip_comment(text: &str) -> &str {
    let end = text.find(" #").unwrap_or(text.len());
    text[..end].trim_end()
}

/// An unquoted scalar: null, a bool, a number, or text.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match Number::parse(text) {
            Some(number) if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => Value::Number(number),
            _ => Value::from(text),
        },
    }
}
