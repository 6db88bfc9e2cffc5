//! Values inside a pass, with the types that templates can see (`printf "%T"`, `eq`, the parameters of functions).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::object::Object;

/// A string: bytes, usually UTF-8. Data from outside may be binary, and `base64Decode` of a keystore must reach the file unharmed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(Arc<[u8]>);

impl Text {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text; bytes that are none become the replacement character.
    pub(crate) fn to_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

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

    /// Equality of all that is inside, types included.
    pub(crate) fn deep_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::NilPointer(a), Self::NilPointer(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a, x), Self::Int(b, y)) => a == b && x == y,
            (Self::Uint(a, x), Self::Uint(b, y)) => a == b && x == y,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Complex(a, x), Self::Complex(b, y)) => a == b && x == y,
            (Self::Str(a), Self::Str(b)) | (Self::Number(a), Self::Number(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                a.of == b.of && a.items.len() == b.items.len() && a.items.iter().zip(&b.items).all(|(a, b)| a.deep_equal(b))
            }
            (Self::Map(a), Self::Map(b)) => {
                let (x, y) = (a.snapshot(), b.snapshot());
                a.of == b.of && x.len() == y.len() && x.iter().zip(&y).all(|(a, b)| a.0 == b.0 && a.1.deep_equal(&b.1))
            }
            (Self::Object(a), Self::Object(b)) => {
                let (x, y) = (a.fields(), b.fields());
                a.type_name() == b.type_name() && x.len() == y.len() && x.iter().zip(&y).all(|(a, b)| a.1.deep_equal(&b.1))
            }
            _ => false,
        }
    }

    /// A copy that shares no map with this one.
    pub(crate) fn deep_copy(&self) -> Self {
        match self {
            Self::List(list) => Self::list(list.of, list.items.iter().map(Self::deep_copy).collect()),
            Self::Map(map) => Self::map(map.of, map.snapshot().into_iter().map(|(key, value)| (key, value.deep_copy())).collect()),
            other => other.clone(),
        }
    }
}
