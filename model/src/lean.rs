//! MessagePack with the fields' names, as `rmp_serde::to_vec_named` writes it, less the fields that are nil.
//!
//! Jobs, evaluations and allocations are wide, and most of what they could say is left open: in the log and between servers two fields of five are nil. Reading
//! them costs as much as reading others. Every type takes a field that is missing as it takes nil; in builds with debug assertions each message is read again
//! to see that.

use rmp_serde::encode::Error;
use serde::{
    de::DeserializeOwned,
    ser::{self, Serialize, Serializer},
};

const NIL: u8 = 0xc0;

/// Writes a value after what is in `out` already.
pub fn write<T: Serialize + DeserializeOwned>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    let before = out.len();
    value.serialize(Lean { out })?;
    debug_assert!(comes_back::<T>(&out[before..]), "{} is not what was written once it is read", std::any::type_name::<T>());
    Ok(())
}

/// A value as bytes.
pub fn to_vec<T: Serialize + DeserializeOwned>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(256);
    write(&mut out, value)?;
    Ok(out)
}

/// Whether a value is the same once it has been read: written again, it gives the same bytes.
fn comes_back<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let mut again = Vec::with_capacity(bytes.len());
    rmp_serde::from_slice::<T>(bytes).is_ok_and(|value| value.serialize(Lean { out: &mut again }).is_ok()) && again == bytes
}

struct Lean<'o> {
    out: &'o mut Vec<u8>,
}

/// An array or a map that is being written.
struct Open<'o> {
    out: &'o mut Vec<u8>,
    count_at: CountAt,
    entries: u32,
}

/// Where the number of entries stands, which is filled in at the end.
#[derive(Clone, Copy)]
enum CountAt {
    /// In the low bits of the byte.
    Nibble(usize),
    Short(usize),
    Long(usize),
}

/// The bytes that begin an array or a map: with so few entries that they stand in the same byte, and with two or four bytes for their number.
struct Marks {
    few: u8,
    short: u8,
    long: u8,
}

const ARRAY: Marks = Marks { few: 0x90, short: 0xdc, long: 0xdd };
const MAP: Marks = Marks { few: 0x80, short: 0xde, long: 0xdf };

impl<'o> Open<'o> {
    /// One that will have at most so many entries; any number, when nobody knows.
    fn at_most(out: &'o mut Vec<u8>, marks: &Marks, most: Option<usize>) -> Self {
        let at = out.len();
        let count_at = match most {
            Some(0..=0xf) => {
                out.push(marks.few);
                CountAt::Nibble(at)
            }
            Some(0x10..=0xffff) => {
                out.extend_from_slice(&[marks.short, 0, 0]);
                CountAt::Short(at + 1)
            }
            _ => {
                out.extend_from_slice(&[marks.long, 0, 0, 0, 0]);
                CountAt::Long(at + 1)
            }
        };
        Self { out, count_at, entries: 0 }
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Lean { out: self.out })
    }

    fn counted<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.entries += 1;
        self.value(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        let before = self.out.len();
        self.value(name)?;
        let named = self.out.len();
        self.value(value)?;
        if self.out[named..] == [NIL] {
            self.out.truncate(before);
        } else {
            self.entries += 1;
        }
        Ok(())
    }

    fn close(self) {
        let count = self.entries.to_be_bytes();
        match self.count_at {
            CountAt::Nibble(at) => self.out[at] |= count[3],
            CountAt::Short(at) => self.out[at..at + 2].copy_from_slice(&count[2..]),
            CountAt::Long(at) => self.out[at..at + 4].copy_from_slice(&count),
        }
    }
}

impl<'o> Lean<'o> {
    /// A map of one entry: a variant of an enum that has something in it.
    fn variant(self, name: &'static str) -> Result<&'o mut Vec<u8>, Error> {
        self.out.push(MAP.few | 1);
        rmp_serde::Serializer::new(&mut *self.out).serialize_str(name)?;
        Ok(self.out)
    }
}

/// As `rmp_serde` writes them.
macro_rules! plain {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            rmp_serde::Serializer::new(self.out).$method(value)
        })*
    };
}

impl<'o> Serializer for Lean<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'o>;
    type SerializeTuple = Open<'o>;
    type SerializeTupleStruct = Open<'o>;
    type SerializeTupleVariant = Open<'o>;
    type SerializeMap = Open<'o>;
    type SerializeStruct = Open<'o>;
    type SerializeStructVariant = Open<'o>;

    plain! {
        serialize_bool(bool), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]), serialize_f32(f32), serialize_f64(f64),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_unit_struct(&'static str),
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.serialize_none()
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.out.push(NIL);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(Self { out: self.variant(variant)? })
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Open<'o>, Error> {
        Ok(Open::at_most(self.out, &ARRAY, len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Open<'o>, Error> {
        Ok(Open::at_most(self.out, &ARRAY, Some(len)))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Open<'o>, Error> {
        Ok(Open::at_most(self.out, &ARRAY, Some(len)))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, len: usize) -> Result<Open<'o>, Error> {
        Ok(Open::at_most(self.variant(variant)?, &ARRAY, Some(len)))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Open<'o>, Error> {
        Ok(Open::at_most(self.out, &MAP, len))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Open<'o>, Error> {
        Ok(Open::at_most(self.out, &MAP, Some(len)))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, len: usize) -> Result<Open<'o>, Error> {
        Ok(Open::at_most(self.variant(variant)?, &MAP, Some(len)))
    }
}

macro_rules! sequence {
    ($trait:ident, $method:ident) => {
        impl ser::$trait for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.counted(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    };
}

sequence!(SerializeSeq, serialize_element);
sequence!(SerializeTuple, serialize_element);
sequence!(SerializeTupleStruct, serialize_field);
sequence!(SerializeTupleVariant, serialize_field);

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.counted(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

macro_rules! structure {
    ($trait:ident) => {
        impl ser::$trait for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    };
}

structure!(SerializeStruct);
structure!(SerializeStructVariant);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{evaluation::Evaluation, job::Job};

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Wide {
        number: Option<u64>,
        text: Option<String>,
        map: Option<BTreeMap<String, Option<u8>>>,
        list: Vec<Option<u8>>,
        pair: (u8, Option<u8>),
        kind: Option<Kind>,
    }

    /// Its fields are counted only at the end.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        own: Option<u8>,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Unit,
        Newtype(Option<u8>),
        Tuple(u8, u8),
        Struct { one: Option<u8>, other: u8 },
    }

    fn size_of<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> usize {
        let bytes = to_vec(value).unwrap();
        assert!(comes_back::<T>(&bytes));
        assert_eq!(rmp_serde::from_slice::<T>(&bytes).unwrap(), *value);
        bytes.len()
    }

    #[test]
    fn every_shape_comes_back() {
        let empty = Wide::default();
        assert_eq!(size_of(&empty), 1 + (1 + "list".len() + 1) + (1 + "pair".len() + 3));
        let full = Wide {
            number: Some(1 << 40),
            text: Some("x".repeat(300)),
            map: Some(BTreeMap::from([("a".to_owned(), None), ("b".to_owned(), Some(1))])),
            list: vec![None; 70_000],
            pair: (200, Some(1)),
            kind: None,
        };
        size_of(&full);
        size_of(&Flat { own: None, rest: (0..20).map(|number| (format!("key {number}"), number)).collect() });
        for kind in [Kind::Unit, Kind::Newtype(None), Kind::Newtype(Some(7)), Kind::Tuple(1, 2), Kind::Struct { one: None, other: 1 }] {
            size_of(&Wide { kind: Some(kind), ..empty.clone() });
        }
    }

    #[test]
    fn what_a_job_does_not_say_takes_no_room() {
        let job = Job { id: "web".into(), task_groups: vec![crate::job::TaskGroup::default(); 20].into(), ..Job::default() };
        assert!(size_of(&job) * 10 < rmp_serde::to_vec_named(&job).unwrap().len() * 7);
        assert!(size_of(&Evaluation::default()) <= rmp_serde::to_vec_named(&Evaluation::default()).unwrap().len());
    }
}
