//! JSON, with the messages and number forms that templates know.

mod decode;
mod encode;

pub(super) use decode::decode;
pub(super) use encode::{Style, encode};
