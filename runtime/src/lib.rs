//! Drover runtime.
