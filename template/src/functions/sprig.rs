//! The second library of helpers, all named `sprig_…`: the part of it whose results depend on nothing but the arguments.

mod decimal;
mod dicts;
mod dump;
mod kinds;
mod lists;
mod math;
mod passwords;
mod paths;
mod patterns;
mod scrypt;
mod strings;
mod time;
mod urls;
mod versions;
mod words;

use crate::go::function::Function;

/// The tables of this library.
pub(super) const FAMILIES: [&[Function]; 12] = [
    dicts::FUNCTIONS,
    dump::FUNCTIONS,
    kinds::FUNCTIONS,
    lists::FUNCTIONS,
    math::FUNCTIONS,
    passwords::FUNCTIONS,
    paths::FUNCTIONS,
    patterns::FUNCTIONS,
    strings::FUNCTIONS,
    time::FUNCTIONS,
    urls::FUNCTIONS,
    versions::FUNCTIONS,
];
