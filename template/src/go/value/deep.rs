//! What goes through a value from top to bottom.
//!
//! A template can nest lists without end, and with a few doublings make a value that is small in memory and endless on paper. So every
//! walk has a depth and a number of steps after which it stops, and dropping a value uses no stack.

use std::rc::Rc;

use super::{List, Map, Value};
use crate::limits::{DOCUMENT_DEPTH, LIST_ITEMS};

/// What is left of a walk.
struct Walk {
    depth: usize,
    steps: usize,
}

impl Walk {
    fn new() -> Self {
        Self { depth: DOCUMENT_DEPTH, steps: LIST_ITEMS }
    }

    /// Goes one level down; `None` beyond the limits.
    fn down<T>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.depth = self.depth.checked_sub(1)?;
        self.steps = self.steps.checked_sub(1)?;
        let result = walk(self);
        self.depth += 1;
        Some(result)
    }
}

impl Value {
    /// Equality of all that is inside, types included. Beyond the limits nothing is equal.
    pub(crate) fn deep_equal(&self, other: &Self) -> bool {
        equal(self, other, &mut Walk::new())
    }

    /// A copy that shares no map with this one, as far down as the limits go.
    pub(crate) fn deep_copy(&self) -> Self {
        copy(self, &mut Walk::new())
    }

    /// True if the map is this value or inside of it, or if that cannot be told within the limits.
    pub(crate) fn holds(&self, map: &Rc<Map>) -> bool {
        holds(self, map, &mut Walk::new())
    }
}

fn equal(a: &Value, b: &Value, walk: &mut Walk) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::NilPointer(a), Value::NilPointer(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, x), Value::Int(b, y)) => a == b && x == y,
        (Value::Uint(a, x), Value::Uint(b, y)) => a == b && x == y,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, x), Value::Complex(b, y)) => a == b && x == y,
        (Value::Str(a), Value::Str(b)) | (Value::Number(a), Value::Number(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            let same = |walk: &mut Walk| a.items.iter().zip(&b.items).all(|(a, b)| equal(a, b, walk));
            a.of == b.of && a.items.len() == b.items.len() && walk.down(same).unwrap_or(false)
        }
        (Value::Map(a), Value::Map(b)) => {
            let (x, y) = (a.snapshot(), b.snapshot());
            let same = |walk: &mut Walk| x.iter().zip(&y).all(|(a, b)| a.0 == b.0 && equal(&a.1, &b.1, walk));
            a.of == b.of && x.len() == y.len() && walk.down(same).unwrap_or(false)
        }
        (Value::Object(a), Value::Object(b)) => {
            let (x, y) = (a.fields(), b.fields());
            let same = |walk: &mut Walk| x.iter().zip(&y).all(|(a, b)| equal(&a.1, &b.1, walk));
            a.type_name() == b.type_name() && x.len() == y.len() && walk.down(same).unwrap_or(false)
        }
        _ => false,
    }
}

fn copy(value: &Value, walk: &mut Walk) -> Value {
    let copied = walk.down(|walk| match value {
        Value::List(list) => Value::list(list.of, list.items.iter().map(|item| copy(item, walk)).collect()),
        Value::Map(map) => Value::map(map.of, map.snapshot().into_iter().map(|(key, value)| (key, copy(&value, walk))).collect()),
        other => other.clone(),
    });
    copied.unwrap_or_else(|| value.clone())
}

fn holds(value: &Value, wanted: &Rc<Map>, walk: &mut Walk) -> bool {
    let found = walk.down(|walk| match value {
        Value::List(list) => list.items.iter().any(|item| holds(item, wanted, walk)),
        Value::Map(map) => Rc::ptr_eq(map, wanted) || map.snapshot().iter().any(|(_, item)| holds(item, wanted, walk)),
        _ => false,
    });
    found.unwrap_or(true)
}

impl Drop for List {
    fn drop(&mut self) {
        drop_level_by_level(std::mem::take(&mut self.items));
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        drop_level_by_level(std::mem::take(self.entries.get_mut()).into_values().collect());
    }
}

/// Takes apart what nobody else holds, before the containers themselves are dropped empty.
fn drop_level_by_level(mut values: Vec<Value>) {
    while let Some(value) = values.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut list) = Rc::into_inner(list) {
                    values.append(&mut list.items);
                }
            }
            Value::Map(map) => {
                if let Some(mut map) = Rc::into_inner(map) {
                    values.extend(std::mem::take(map.entries.get_mut()).into_values());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::go::format;
    use crate::go::value::Key;

    fn nested(levels: usize, width: usize) -> Value {
        (0..levels).fold(Value::int(1), |inner, _| Value::any_list(vec![inner; width]))
    }

    #[test]
    fn endless_values_are_neither_walked_nor_dropped_to_their_end() {
        let deep = nested(200_000, 1);
        assert!(!deep.deep_equal(&nested(200_000, 1)));
        assert!(format::to_string(&deep).len() < 10_000);
        drop(deep.deep_copy());
        let wide = nested(60, 2);
        assert!(!wide.deep_equal(&nested(60, 2)));
        drop(wide.deep_copy());
        assert!(nested(3, 3).deep_equal(&nested(3, 3)));
    }

    #[test]
    fn a_map_is_found_inside_of_what_holds_it() {
        let inner = Value::any_map(BTreeMap::new());
        let Value::Map(map) = &inner else { panic!("it is a map") };
        let outer = Value::any_list(vec![Value::any_map(BTreeMap::from([(Key::from("a"), inner.clone())]))]);
        assert!(outer.holds(map));
        assert!(!nested(2, 2).holds(map));
    }
}
