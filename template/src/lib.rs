//! Drover template.
