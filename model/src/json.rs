//! The API's JSON habits: empty lists and maps are `null`, keys are matched whatever their case.

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Deref, DerefMut},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use case::from_slice;

mod case;

/// A list that is `null` in JSON when empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct List<T>(pub Vec<T>);

/// A map with sorted string keys that is `null` in JSON when empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Map<V>(pub BTreeMap<String, V>);

macro_rules! nullable {
    ($name:ident<$p:ident>, $inner:ty, $item:ty) => {
        impl<$p> Default for $name<$p> {
            fn default() -> Self {
                Self(Default::default())
            }
        }
        impl<$p: fmt::Debug> fmt::Debug for $name<$p> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl<$p> Deref for $name<$p> {
            type Target = $inner;
            fn deref(&self) -> &$inner {
                &self.0
            }
        }
        impl<$p> DerefMut for $name<$p> {
            fn deref_mut(&mut self) -> &mut $inner {
                &mut self.0
            }
        }
        impl<$p> From<$inner> for $name<$p> {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }
        impl<$p> FromIterator<$item> for $name<$p> {
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                Self(items.into_iter().collect())
            }
        }
        impl<$p> IntoIterator for $name<$p> {
            type Item = $item;
            type IntoIter = <$inner as IntoIterator>::IntoIter;
            fn into_iter(self) -> Self::IntoIter {
                self.0.into_iter()
            }
        }
        impl<'a, $p> IntoIterator for &'a $name<$p> {
            type Item = <&'a $inner as IntoIterator>::Item;
            type IntoIter = <&'a $inner as IntoIterator>::IntoIter;
            fn into_iter(self) -> Self::IntoIter {
                self.0.iter()
            }
        }
        impl<$p: Serialize> Serialize for $name<$p> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if self.0.is_empty() { serializer.serialize_none() } else { self.0.serialize(serializer) }
            }
        }
        impl<'de, $p: Deserialize<'de>> Deserialize<'de> for $name<$p> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self(Option::<$inner>::deserialize(deserializer)?.unwrap_or_default()))
            }
        }
    };
}

nullable!(List<T>, Vec<T>, T);
nullable!(Map<V>, BTreeMap<String, V>, (String, V));

/// `#[serde(deserialize_with = "crate::json::null_is_default")]`: `null` reads as the type's default.
pub fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// `#[serde(with = "crate::json::base64")]`: bytes as base64 text, `null` when empty.
pub mod base64 {
    use ::base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        if bytes.is_empty() { serializer.serialize_none() } else { serializer.serialize_str(&STANDARD.encode(bytes)) }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Option::<String>::deserialize(deserializer)? {
            None => Ok(Vec::new()),
            Some(text) => STANDARD.decode(text).map_err(de::Error::custom),
        }
    }
}
