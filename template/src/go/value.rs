//! Values inside a pass, with the types that templates can see (`printf "%T"`, `eq`, the parameters of functions).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::function::Fault;
use super::object::Object;

mod deep;
mod json;
mod text;

pub(crate) use json::of_json;
pub(crate) use text::Text;

/// Which signed integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntType {
    Int,
    Int64,
}

/// Which unsigned integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UintType {
    Uint8,
    Uint64,
}

/// Anything that a pipeline can carry. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// No value: prints `<no value>`.
    Nil,
    /// A pointer to nothing: prints `<nil>`.
    NilPointer(&'static str),
    Bool(bool),
    Int(i64, IntType),
    Uint(u64, UintType),
    Float(f64),
    Complex(f64, f64),
    Str(Text),
    /// A number of a secret, kept as it was written; not a plain string.
    Number(Text),
    List(Rc<List>),
    Map(Rc<Map>),
    Object(Rc<dyn Object>),
}

/// Static type of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListType {
    /// `[]interface {}`
    Any,
    /// `[]string`
    Strings,
    /// `[]int`
    Ints,
    /// A named string list.
    Tags,
    /// A list of one struct type, by its printed name.
    Of(&'static str),
}

impl ListType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::Strings => "[]string",
            Self::Ints => "[]int",
            Self::Tags => "dependency.ServiceTags",
            Self::Of(name) => name,
        }
    }
}

#[derive(Debug)]
pub(crate) struct List {
    pub(crate) of: ListType,
    pub(crate) items: Vec<Value>,
}

/// Static type of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapType {
    /// `map[string]interface {}`
    StringAny,
    /// `map[string]string`
    StringString,
    /// `map[interface {}]interface {}`
    AnyAny,
    /// The items of a variable: an absent one prints nothing.
    Items,
    /// Another one, by its printed name; string keys.
    Of(&'static str),
    /// Another one with integer keys.
    IntKeys(&'static str),
}

impl MapType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::StringAny => "map[string]interface {}",
            Self::StringString => "map[string]string",
            Self::AnyAny => "map[interface {}]interface {}",
            Self::Items => "dependency.NomadVarItems",
            Self::Of(name) | Self::IntKeys(name) => name,
        }
    }
}

/// A map's key, ordered as maps are printed and ranged over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Nil,
    Int(i64),
    Float(OrderedFloat),
    Str(Text),
    Bool(bool),
}

/// A float that can be a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderedFloat(pub(crate) f64);

impl PartialEq for OrderedFloat {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for OrderedFloat {}

impl PartialOrd for OrderedFloat {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedFloat {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Key {
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value, IntType::Int),
            Self::Float(value) => Value::Float(value.0),
            Self::Str(text) => Value::Str(text.clone()),
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) of: MapType,
    /// Some functions change a map in place, and templates rely on it.
    pub(crate) entries: RefCell<BTreeMap<Key, Value>>,
}

impl Map {
    pub(crate) fn get(&self, key: &Key) -> Option<Value> {
        self.entries.borrow().get(key).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// What an absent key gives.
    pub(crate) fn zero(&self) -> Value {
        match self.of {
            MapType::StringString | MapType::Items => Value::from(""),
            _ => Value::Nil,
        }
    }

    /// Puts a value in place. A map cannot come to hold itself.
    pub(crate) fn insert(self: &Rc<Self>, key: Key, value: Value) -> Result<(), Fault> {
        if value.holds(self) {
            return Err("a map cannot be put into itself".into());
        }
        self.entries.borrow_mut().insert(key, value);
        Ok(())
    }

    /// The entries as they are now, so that a template may change the map while it ranges over it.
    pub(crate) fn snapshot(&self) -> Vec<(Key, Value)> {
        self.entries.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Str(text.as_str().into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Str(bytes.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl Value {
    pub(crate) fn int(value: i64) -> Self {
        Self::Int(value, IntType::Int)
    }

    /// A count of something in memory.
    pub(crate) fn size(value: usize) -> Self {
        Self::int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub(crate) fn int64(value: i64) -> Self {
        Self::Int(value, IntType::Int64)
    }

    pub(crate) fn uint64(value: u64) -> Self {
        Self::Uint(value, UintType::Uint64)
    }

    pub(crate) fn list(of: ListType, items: Vec<Value>) -> Self {
        Self::List(Rc::new(List { of, items }))
    }

    pub(crate) fn any_list(items: Vec<Value>) -> Self {
        Self::list(ListType::Any, items)
    }

    pub(crate) fn strings<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::list(ListType::Strings, items.into_iter().map(Into::into).collect())
    }

    pub(crate) fn map(of: MapType, entries: BTreeMap<Key, Value>) -> Self {
        Self::Map(Rc::new(Map { of, entries: RefCell::new(entries) }))
    }

    pub(crate) fn any_map(entries: BTreeMap<Key, Value>) -> Self {
        Self::map(MapType::StringAny, entries)
    }

    pub(crate) fn string_map<'a>(entries: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        Self::map(MapType::StringString, entries.into_iter().map(|(key, value)| (Key::from(key.as_str()), Value::from(value))).collect())
    }

    pub(crate) fn object(object: impl Object + 'static) -> Self {
        Self::Object(Rc::new(object))
    }

    /// What `%T` prints.
    pub(crate) fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Nil => "<nil>",
            Self::NilPointer(name) => name,
            Self::Bool(_) => "bool",
            Self::Int(_, IntType::Int) => "int",
            Self::Int(_, IntType::Int64) => "int64",
            Self::Uint(_, UintType::Uint8) => "uint8",
            Self::Uint(_, UintType::Uint64) => "uint64",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Str(_) => "string",
            Self::Number(_) => "json.Number",
            Self::List(list) => list.of.name(),
            Self::Map(map) => map.of.name(),
            Self::Object(object) => return Cow::Owned(object.type_name().to_owned()),
        })
    }

    /// What `if` makes of it: zero, empty and nothing are false.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Nil | Self::NilPointer(_) => false,
            Self::Bool(value) => *value,
            Self::Int(value, _) => *value != 0,
            Self::Uint(value, _) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::Str(text) | Self::Number(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => map.len() > 0,
            Self::Object(object) => object.truth(),
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<&[Value]> {
        match self {
            Self::List(list) => Some(&list.items),
            _ => None,
        }
    }

    /// The text of a string or number.
    pub(crate) fn text(&self) -> Option<&Text> {
        match self {
            Self::Str(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// A map, also one that an object stands for.
    pub(crate) fn as_map(&self) -> Option<Rc<Map>> {
        match self {
            Self::Map(map) => Some(map.clone()),
            Self::Object(object) => object.as_map(),
            _ => None,
        }
    }
}
