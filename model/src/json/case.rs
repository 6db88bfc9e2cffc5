//! A JSON reader that matches the keys of structs whatever their case.
//!
//! Programs written for Go servers rely on it (`{"jobhcl": ...}`). The text is read as it streams by: the reader stands between `serde_json` and the
//! type, and hands each struct its own spelling of the keys. A key that comes twice, in one spelling or two, is refused: it has no single meaning.

use std::{cell::RefCell, fmt};

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor, value::StrDeserializer,
};
use serde_json::Error;

/// Reads `bytes` as JSON. Errors carry line and column; those about a value also the keys that lead to it.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let trail = Trail::default();
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let read = T::deserialize(AnyCase { inner: &mut text, trail: &trail }).map_err(|error| trail.lead_to(error))?;
    text.end()?;
    Ok(read)
}

/// The keys that lead to an error, the innermost first.
#[derive(Default)]
struct Trail(RefCell<Vec<&'static str>>);

impl Trail {
    fn lead_to(&self, error: Error) -> Error {
        if !error.is_data() {
            return error;
        }
        let path: String = self.0.borrow().iter().rev().map(|key| format!("{key}: ")).collect();
        Error::custom(format_args!("{path}{error}"))
    }
}

struct AnyCase<'t, D> {
    inner: D,
    trail: &'t Trail,
}

macro_rules! forward {
    ($($method:ident($($name:ident: $ty:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* Inside { visitor, fields: &[], trail: self.trail })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for AnyCase<'_, D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, Inside { visitor, fields, trail: self.trail })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    forward! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64()
        deserialize_char() deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_option()
        deserialize_unit() deserialize_seq() deserialize_map() deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str) deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize) deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }
}

/// A type's visitor, with what it visits wrapped again.
struct Inside<'t, V> {
    visitor: V,
    /// The keys of a struct, as it spells them.
    fields: &'static [&'static str],
    trail: &'t Trail,
}

macro_rules! pass {
    ($($method:ident($ty:ty))*) => {$(
        fn $method<E: serde::de::Error>(self, value: $ty) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Inside<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    pass! {
        visit_bool(bool) visit_i64(i64) visit_i128(i128) visit_u64(u64) visit_u128(u128) visit_f64(f64) visit_str(&str) visit_borrowed_str(&'de str)
        visit_string(String) visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(AnyCase { inner, trail: self.trail })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(AnyCase { inner, trail: self.trail })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Items { items, trail: self.trail })
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Entries { entries, fields: self.fields, current: None, trail: self.trail })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(access)
    }
}

struct Seed<'t, S> {
    seed: S,
    trail: &'t Trail,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(AnyCase { inner, trail: self.trail })
    }
}

struct Items<'t, A> {
    items: A,
    trail: &'t Trail,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.items.next_element_seed(Seed { seed, trail: self.trail })
    }

    fn size_hint(&self) -> Option<usize> {
        self.items.size_hint()
    }
}

struct Entries<'t, A> {
    entries: A,
    fields: &'static [&'static str],
    /// The struct's spelling of the key whose value comes next.
    current: Option<&'static str>,
    trail: &'t Trail,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        if self.fields.is_empty() {
            return self.entries.next_key_seed(seed);
        }
        self.entries.next_key_seed(Key { seed, fields: self.fields, found: &mut self.current })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let key = self.current.take();
        self.entries.next_value_seed(Seed { seed, trail: self.trail }).inspect_err(|_| self.trail.0.borrow_mut().extend(key))
    }

    fn size_hint(&self) -> Option<usize> {
        self.entries.size_hint()
    }
}

/// Reads a key of a struct.
struct Key<'f, K> {
    seed: K,
    fields: &'static [&'static str],
    found: &'f mut Option<&'static str>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, K> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<K::Value, D::Error> {
        inner.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Key<'_, K> {
    type Value = K::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<K::Value, E> {
        *self.found = spelled(self.fields, key);
        self.seed.deserialize(StrDeserializer::new(self.found.unwrap_or(key)))
    }
}

/// A struct's own spelling of `key`.
fn spelled(fields: &'static [&'static str], key: &str) -> Option<&'static str> {
    let exact = fields.iter().find(|field| **field == key);
    exact.or_else(|| fields.iter().find(|field| field.eq_ignore_ascii_case(key))).copied()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::json::{List, Map};

    #[derive(Deserialize, Debug, PartialEq, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct Outer {
        count: u32,
        inner: Option<Box<Outer>>,
        items: List<Outer>,
        free: Map<Value>,
    }

    #[test]
    fn keys_match_whatever_their_case_and_free_maps_keep_theirs() {
        let read: Outer =
            from_slice(br#"{"COUNT": 2, "inner": {"count": 3}, "items": [{"cOUNT": 4}], "FREE": {"aB": 1}, "other": 9}"#).unwrap();
        assert_eq!((read.count, read.inner.unwrap().count, read.items[0].count), (2, 3, 4));
        assert_eq!(read.free["aB"], 1);
    }

    #[test]
    fn errors_say_where() {
        for (text, error) in [
            (
                r#"{"Items": [{"inner": {"COUNT": "x"}}]}"#,
                "Items: Inner: Count: invalid type: string \"x\", expected u32 at line 1 column 34",
            ),
            (r#"{"Items": [null]}"#, "Items: invalid type: null, expected struct Outer at line 1 column 15"),
            (r#"{"count": 1, "Count": 2}"#, "duplicate field `Count` at line 1 column 20"),
            (r#"{"Items": [{"#, "EOF while parsing an object at line 1 column 12"),
            (r#"{"Count": 1} x"#, "trailing characters at line 1 column 14"),
        ] {
            assert_eq!(from_slice::<Outer>(text.as_bytes()).unwrap_err().to_string(), error);
        }
    }
}
