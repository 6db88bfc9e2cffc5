//! YAML as its version 1.1 reads it (`yes` is a boolean, `012` is ten), because that is what existing files rely on.

mod decode;
mod encode;
mod scalar;

pub(super) use decode::decode;
pub(super) use encode::encode;

#[cfg(test)]
mod tests;
