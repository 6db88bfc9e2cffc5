//! A JSON reader that matches the keys of structs whatever their case.
//!
//! Programs written for Go servers rely on it (`{"jobhcl": ...}`). The text is read into a `serde_json::Value` once, and a thin deserializer then
//! hands each struct its own spelling of the keys.

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Value};

/// Reads `bytes` as JSON. Errors carry line and column when the text is not JSON, and the path's last key when a value has the wrong type.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    T::deserialize(AnyCase(serde_json::from_slice(bytes)?))
}

struct AnyCase(Value);

macro_rules! forward {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.0.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for AnyCase {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            Value::Object(entries) => visitor.visit_map(Entries::new(entries, &[])),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(entries) => visitor.visit_map(Entries::new(entries, fields)),
            other => other.deserialize_struct(name, fields, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            other => other.deserialize_seq(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _name: &'static str, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(entries) => visitor.visit_map(Entries::new(entries, &[])),
            other => other.deserialize_map(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    forward! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier deserialize_ignored_any
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|value| seed.deserialize(AnyCase(value))).transpose()
    }
}

struct Entries {
    entries: serde_json::map::IntoIter,
    fields: &'static [&'static str],
    current: Option<(String, Value)>,
}

impl Entries {
    fn new(mut entries: Map<String, Value>, fields: &'static [&'static str]) -> Self {
        // An exact spelling wins over another one of the same key, which would otherwise read as a duplicate field.
        let inexact: Vec<String> = entries.keys().filter(|key| exact(fields, key).is_none()).cloned().collect();
        for key in inexact {
            if let Some(field) = spelled(fields, &key) {
                let value = entries.remove(&key);
                if let (false, Some(value)) = (entries.contains_key(field), value) {
                    entries.insert(field.to_owned(), value);
                }
            }
        }
        Self { entries: entries.into_iter(), fields, current: None }
    }
}

fn exact(fields: &'static [&'static str], key: &str) -> Option<&'static str> {
    fields.iter().copied().find(|field| *field == key)
}

fn spelled(fields: &'static [&'static str], key: &str) -> Option<&'static str> {
    fields.iter().copied().find(|field| field.eq_ignore_ascii_case(key))
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.entries.next();
        let Some((key, _)) = &self.current else { return Ok(None) };
        seed.deserialize(de::value::StrDeserializer::<Error>::new(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let Some((key, value)) = self.current.take() else { return Err(de::Error::custom("a value without its key")) };
        seed.deserialize(AnyCase(value)).map_err(|error| match exact(self.fields, &key) {
            Some(field) => de::Error::custom(format_args!("{field}: {error}")),
            None => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::json::List;

    #[derive(Deserialize, Debug, PartialEq, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct Outer {
        count: u32,
        inner: Option<Box<Outer>>,
        items: List<Outer>,
        free: Map<String, Value>,
    }

    #[test]
    fn keys_match_whatever_their_case_and_free_maps_keep_theirs() {
        let read: Outer =
            from_slice(br#"{"COUNT": 2, "inner": {"count": 3}, "items": [{"cOUNT": 4}], "FREE": {"aB": 1}, "other": 9}"#).unwrap();
        assert_eq!((read.count, read.inner.unwrap().count, read.items[0].count), (2, 3, 4));
        assert_eq!(read.free["aB"], 1);
    }

    #[test]
    fn the_exact_spelling_wins() {
        let read: Outer = from_slice(br#"{"count": 1, "Count": 2}"#).unwrap();
        assert_eq!(read.count, 2);
    }

    #[test]
    fn errors_name_the_key() {
        let error = from_slice::<Outer>(br#"{"Items": [null]}"#).unwrap_err().to_string();
        assert!(error.starts_with("Items: "), "{error}");
    }
}
