//! Drover jobspec.
