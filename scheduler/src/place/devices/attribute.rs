//! What is known of a device: numbers with units, and texts.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Deserializer};

/// As clients report it: one of the values is set.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Reported {
    float: Option<f64>,
    int: Option<i64>,
    string: Option<String>,
    bool: Option<bool>,
    unit: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    /// In the base unit of its kind; "" is the kind of bare numbers.
    Number {
        value: f64,
        kind: &'static str,
    },
    Bool(bool),
    Text(String),
}

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Reported::deserialize(input).map(Self::from)
    }
}

impl From<Reported> for Attribute {
    #[expect(clippy::cast_precision_loss, reason = "sizes of devices need no 53 bits")]
    fn from(reported: Reported) -> Self {
        let Reported { float, int, string, bool, unit } = reported;
        match (float.or_else(|| int.map(|int| int as f64)), bool) {
            (Some(number), _) => Self::number(number, &unit).unwrap_or_else(|| Self::Text(format!("{number} {unit}"))),
            (None, Some(value)) => Self::Bool(value),
            (None, None) => Self::Text(string.unwrap_or_default()),
        }
    }
}

/// (unit, kind, how many of the kind's base unit it is)
const UNITS: &[(&str, &str, f64)] = &[
    ("KiB", "byte", 1024.0),
    ("MiB", "byte", 1_048_576.0),
    ("GiB", "byte", 1_073_741_824.0),
    ("TiB", "byte", 1_099_511_627_776.0),
    ("PiB", "byte", 1_125_899_906_842_624.0),
    ("EiB", "byte", 1_152_921_504_606_846_976.0),
    ("kB", "byte", 1e3),
    ("KB", "byte", 1e3),
    ("MB", "byte", 1e6),
    ("GB", "byte", 1e9),
    ("TB", "byte", 1e12),
    ("PB", "byte", 1e15),
    ("EB", "byte", 1e18),
    ("B", "byte", 1.0),
    ("MHz", "hertz", 1e6),
    ("GHz", "hertz", 1e9),
    ("Hz", "hertz", 1.0),
    ("mW", "watt", 1e-3),
    ("W", "watt", 1.0),
    ("kW", "watt", 1e3),
    ("MW", "watt", 1e6),
    ("GW", "watt", 1e9),
];

impl Attribute {
    fn number(number: f64, unit: &str) -> Option<Self> {
        if unit.is_empty() {
            return Some(Self::Number { value: number, kind: "" });
        }
        let (base, per_second) = match unit.strip_suffix("/s") {
            Some(base) => (base, true),
            None => (unit, false),
        };
        let (_, kind, factor) = UNITS.iter().find(|(name, ..)| *name == base)?;
        let kind = match (*kind, per_second) {
            ("byte", true) => "byte/s",
            (_, true) => return None,
            (kind, false) => kind,
        };
        Some(Self::Number { value: number * factor, kind })
    }

    /// `2 GiB`, `2GiB`, `1.5`, `true`, or any text.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
        let number = text[..end].parse().ok().and_then(|number| Self::number(number, text[end..].trim()));
        match text {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            _ => number.unwrap_or_else(|| Self::Text(text.to_owned())),
        }
    }

    /// None for what cannot be compared: bytes with watts, numbers with texts.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number { value, kind }, Self::Number { value: other, kind: other_kind }) if kind == other_kind => {
                value.partial_cmp(other)
            }
            (Self::Text(text), Self::Text(other)) => Some(text.cmp(other)),
            (Self::Bool(value), Self::Bool(other)) => Some(value.cmp(other)),
            _ => None,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { value, .. } => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}
