//! Texts that are nearly always one of a few.

use std::{borrow::Cow, fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Those that a running task brings with it, in order: hundreds of thousands of allocations that say them take no memory for that.
const COMMON: [&str; 18] = [
    "Building Task Directory",
    "Killed",
    "Killing",
    "Received",
    "Restarting",
    "Started",
    "Task Setup",
    "Task received by client",
    "Task started by client",
    "Task successfully killed",
    "Template",
    "Terminated",
    "exit_code",
    "fails_task",
    "message",
    "oom_killed",
    "restart_reason",
    "signal",
];

/// A text that takes no memory of its own where it is a common one.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Cow<'static, str>);

fn common(text: &str) -> Option<&'static str> {
    COMMON.binary_search(&text).ok().and_then(|at| COMMON.get(at)).copied()
}

impl Text {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(common(text).map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(common(&text).map_or(Cow::Owned(text), Cow::Borrowed))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl std::borrow::Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(text.into())
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_common_is_found() {
        assert!(COMMON.is_sorted());
        for text in COMMON {
            assert!(matches!(Text::from(text.to_owned()), Text(Cow::Borrowed(_))), "{text}");
        }
        assert_eq!(Text::from("something else"), "something else");
    }
}
