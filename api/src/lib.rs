//! Drover api.
