//! YAML to values. The parser gives events; what they mean is decided here.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use crate::go::function::{Answer, Fault};
use crate::go::value::{Key, MapType, OrderedFloat, Value};
use crate::limits::{DOCUMENT_DEPTH, LIST_ITEMS};

use super::scalar;

/// The first document of a text.
pub(in crate::functions) fn decode(source: &str) -> Answer {
    let mut reader = Reader { events: Parser::new_from_str(source), anchors: BTreeMap::new(), depth: 0, nodes: 0 };
    loop {
        match reader.next()?.0 {
            Event::StreamEnd => return Ok(Value::Nil),
            Event::DocumentStart(_) => {
                let (event, span) = reader.next()?;
                return Ok(reader.node(event, span)?.value);
            }
            _ => {}
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    depth: usize,
    /// Nodes so far, those of aliases counted again: a small text must not stand for a huge value.
    nodes: usize,
}

#[derive(Clone)]
struct Node {
    value: Value,
    /// It came from a word without quotes that asks for merging.
    merges: bool,
    nodes: usize,
}

fn failed(error: &ScanError) -> Fault {
    told(error.marker().line(), error.info())
}

fn at(span: Span, text: &str) -> Fault {
    told(span.start.line(), text)
}

/// The first line is not named: a text of one line has no other.
fn told(line: usize, text: &str) -> Fault {
    Fault::Message(if line <= 1 { format!("yaml: {text}") } else { format!("yaml: line {line}: {text}") })
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(failed(&error)),
            None => Err("yaml: unexpected end of the document".into()),
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > LIST_ITEMS {
            return Err(Fault::Limit(format!("a document of more than {LIST_ITEMS} nodes")));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Fault> {
        let before = self.nodes;
        self.count(1)?;
        let (value, anchor, merges) = match event {
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or_else(|| at(span, "unknown anchor"))?;
                self.count(node.nodes)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let merges = style == ScalarStyle::Plain && text == "<<";
                (scalar_value(&text, style, tag.as_deref(), span)?, anchor, merges)
            }
            Event::SequenceStart(anchor, _) => (self.deeper(Self::sequence)?, anchor, false),
            Event::MappingStart(anchor, _) => (self.deeper(Self::mapping)?, anchor, false),
            _ => return Err(at(span, "a value was expected")),
        };
        let node = Node { value, merges, nodes: self.nodes - before };
        // Zero means that there is no anchor.
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Answer) -> Answer {
        self.depth += 1;
        if self.depth > DOCUMENT_DEPTH {
            return Err(Fault::Limit(format!("a document nested more than {DOCUMENT_DEPTH} deep")));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn sequence(&mut self) -> Answer {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::any_list(items)),
                (event, span) => items.push(self.node(event, span)?.value),
            }
        }
    }

    fn mapping(&mut self) -> Answer {
        let mut entries = BTreeMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                next => next,
            };
            let name = self.node(event, span)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span)?.value;
            if name.merges {
                merged.push((value, value_span));
                continue;
            }
            let key = key(&name.value).ok_or_else(|| at(span, "a map cannot have a list or a map as a key"))?;
            entries.insert(key, value);
        }
        for (value, span) in merged {
            merge(&mut entries, &value, span)?;
        }
        Ok(Value::map(MapType::AnyAny, entries))
    }
}

/// Takes over the entries that are not there yet; of several maps the first counts.
fn merge(entries: &mut BTreeMap<Key, Value>, value: &Value, span: Span) -> Result<(), Fault> {
    let maps = match value {
        Value::List(list) => list.items.as_slice(),
        one => std::slice::from_ref(one),
    };
    for map in maps {
        let Value::Map(map) = map else { return Err(at(span, "map merge requires map or sequence of maps as the value")) };
        for (key, value) in map.snapshot() {
            entries.entry(key).or_insert(value);
        }
    }
    Ok(())
}

fn key(value: &Value) -> Option<Key> {
    Some(match value {
        Value::Nil => Key::Nil,
        Value::Bool(value) => Key::Bool(*value),
        Value::Int(value, _) => Key::Int(*value),
        #[expect(clippy::cast_precision_loss, reason = "beyond the signed range a key is told apart as a float")]
        Value::Uint(value, _) => Key::Float(OrderedFloat(*value as f64)),
        Value::Float(value) => Key::Float(OrderedFloat(*value)),
        Value::Str(text) => Key::Str(text.clone()),
        _ => return None,
    })
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Answer {
    let Some(tag) = tag else {
        return Ok(if style == ScalarStyle::Plain { scalar::resolve(text) } else { text.into() });
    };
    if !tag.is_yaml_core_schema() {
        // `!` alone makes a string of anything; a private tag says nothing here.
        return Ok(if tag.handle == "!" && tag.suffix.is_empty() { text.into() } else { scalar::resolve(text) });
    }
    match (tag.suffix.as_str(), scalar::resolve(text)) {
        ("str", _) => Ok(text.into()),
        ("binary", _) => {
            let compact: String = text.split_whitespace().collect();
            let bytes = STANDARD.decode(compact).map_err(|_| at(span, "!!binary value contains invalid base64 data"))?;
            Ok(bytes.into())
        }
        ("float", Value::Int(value, _)) => {
            #[expect(clippy::cast_precision_loss, reason = "the nearest float is meant")]
            let value = value as f64;
            Ok(Value::Float(value))
        }
        (_, value) => Ok(value),
    }
}
