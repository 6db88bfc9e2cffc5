//! Points in time and durations, in the three encodings of the API.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Nanoseconds since 1970 in UTC; 0 means "never". Written as an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixNanos(pub i64);

impl UnixNanos {
    pub const NEVER: Self = Self(0);

    pub fn is_never(self) -> bool {
        self.0 == 0
    }

    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos_of(duration)))
    }

    /// How long after `earlier`; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

impl fmt::Display for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

/// The same point, written as RFC 3339 text; `null` when it never happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rfc3339(pub UnixNanos);

impl Rfc3339 {
    pub fn is_never(&self) -> bool {
        self.0.is_never()
    }
}

impl From<UnixNanos> for Rfc3339 {
    fn from(at: UnixNanos) -> Self {
        Self(at)
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_never() { serializer.serialize_none() } else { serializer.collect_str(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Rfc3339 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(Self::default()) };
        // The zero time of Go programs: they print it where we print null.
        if text.is_empty() || text.starts_with("0001-01-01T00:00:00") {
            return Ok(Self::default());
        }
        let timestamp: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        i64::try_from(timestamp.as_nanosecond()).map(|n| Self(UnixNanos(n))).map_err(de::Error::custom)
    }
}

/// A duration as whole nanoseconds, at most some 292 years.
pub fn nanos_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// `#[serde(with = "crate::time::nanos")]`: a duration as an integer of nanoseconds. Negative ones read as zero.
pub mod nanos {
    use super::*;

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(nanos_of(*duration))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let nanos = Option::<i64>::deserialize(deserializer)?.unwrap_or(0);
        Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    }
}

/// The same for an optional duration; `null` when absent.
pub mod nanos_option {
    use super::*;

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(nanos_of).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let nanos = Option::<i64>::deserialize(deserializer)?;
        Ok(nanos.map(|n| Duration::from_nanos(u64::try_from(n).unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_reads_what_it_writes_and_the_zero_time_of_others() {
        let at = Rfc3339(UnixNanos(1_795_212_493_638_869_994));
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(text, "\"2026-11-20T22:08:13.638869994Z\"");
        assert_eq!(serde_json::from_str::<Rfc3339>(&text).unwrap(), at);
        assert_eq!(serde_json::to_string(&Rfc3339::default()).unwrap(), "null");
        assert!(serde_json::from_str::<Rfc3339>("\"0001-01-01T00:00:00Z\"").unwrap().is_never());
    }
}
