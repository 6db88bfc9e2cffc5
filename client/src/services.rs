//! Services of an allocation in a catalogue.
//!
//! [`desired()`] says what should stand there for the allocation's present state; [`Registries`] sees that it does, in whichever catalogue it belongs to.

pub(crate) use desired::{Placed, Standing, desired};
pub(crate) use native::{Native, NativeRegistry};
pub(crate) use registries::{Registries, Target};

mod desired;
mod native;
mod registries;
